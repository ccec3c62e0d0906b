// Sends a call that fails three times to a detector, at the address in the argument or the default one.
const url = process.argv[2] ?? "http://127.0.0.1:4318/v1/steps";
const call = { trajectory_id: "js-1", kind: "tool_call", call: { tool: "search", arguments: { q: "shoes" } } };
const result = { trajectory_id: "js-1", kind: "tool_result", result: { tool: "search", status: "error", content: "no such index" } };
const body = [call, result, call, result, call, result].map((step) => JSON.stringify(step)).join("\n");
const answer = await fetch(url, { method: "POST", headers: { "Content-Type": "application/x-ndjson" }, body });
if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);
console.log(await answer.text());
