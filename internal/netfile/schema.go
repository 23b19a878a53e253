package netfile

import (
	"bytes"
	"encoding/json"
)

// Schema is the JSON schema of network files, indented and with a line break at the end. It says
// which keys there are and what kind of value each has; the rest is up to Read.
func Schema() ([]byte, error) {
	s := fileForm.schema()
	s["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	s["title"] = "a network of wsstack run"
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(s); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
