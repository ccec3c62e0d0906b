"""Sends a call that fails three times to a detector, at the address in the argument or the default one."""
import json
import sys
from urllib.request import Request, urlopen

url = (sys.argv[1:] or ["http://127.0.0.1:4318/v1/steps"])[0]
call = {"trajectory_id": "python-1", "kind": "tool_call", "call": {"tool": "search", "arguments": {"q": "shoes"}}}
result = {"trajectory_id": "python-1", "kind": "tool_result", "result": {"tool": "search", "status": "error", "content": "no such index"}}
body = "\n".join(json.dumps(step) for step in [call, result] * 3)
print(urlopen(Request(url, body.encode(), {"Content-Type": "application/x-ndjson"})).read().decode())
