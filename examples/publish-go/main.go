// Command publish-go sends a call that fails three times to a detector, at the
// address in its argument or the default one.
package main

import (
	"log"
	"net/http"
	"os"
	"strings"
)

func main() {
	steps := `{"trajectory_id":"go-1","kind":"tool_call","call":{"tool":"search","arguments":{"q":"shoes"}}}
{"trajectory_id":"go-1","kind":"tool_result","result":{"tool":"search","status":"error","content":"no such index"}}` + "\n"
	url, body := append(os.Args, "http://127.0.0.1:4318/v1/steps")[1], strings.NewReader(strings.Repeat(steps, 3))
	if answer, err := http.Post(url, "application/x-ndjson", body); err != nil || answer.StatusCode != 200 {
		log.Fatal(answer, err)
	}
}
