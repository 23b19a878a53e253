package netfile_test

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/wsstack/wsstack/internal/netfile"
)

// schemaFile is where people and editors find the schema.
const schemaFile = "../../docs/network.schema.json"

// The schema in the repository is that of the reader.
func TestSchema_File(t *testing.T) {
	want, err := netfile.Schema()
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(schemaFile)
	if err != nil || string(got) != string(want) {
		t.Errorf("%s isn't the schema of the reader (%v); write it with: wsstack run --schema > docs/network.schema.json", schemaFile, err)
	}
}

// What the reader takes, the schema allows, and it refuses keys and kinds of values that the reader
// refuses.
func TestSchema(t *testing.T) {
	text, err := netfile.Schema()
	if err != nil {
		t.Fatal(err)
	}
	var schema map[string]any
	if err := json.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		text string
		ok   bool
	}{
		{whole, true},
		{divided, true},
		{"hosts: {a: , b: }\nlinks: {x: {ends: [a, b]}}", true},
		{"hosts: {a: {command: text, environment: {N: 1}, after: [b, c]}, b: , c: }", true},
		{"hosts: {a: {gateway: true, services: false}}", true},
		{"seed: 1", false},
		{"machines: {a: }\nhosts: {x: {at: a}}", false},
		{"hosts: {x: , y: }\nlinks: {l: {ends: [x, y], via: ipsec}}", false},
		{"hosts: [a]", false},
		{"hosts: {a: {kind: switch}}", false},
		{"hosts: {a: {comand: x}}", false},
		{"hosts: {a: {ecn: yes}}", false},
		{"hosts: {a: {until: ready}}", false},
		{"hosts: {a: {within: 10}}", false},
		{"hosts: {a: {command: {x: y}}}", false},
		{"seed: -1\nhosts: {a: }", false},
		{"hosts: {a: , b: }\nlinks: {x: {mtu: 1500}}", false},
		{"hosts: {a: , b: }\nlinks: {x: {ends: [a, b], mtu: 70000}}", false},
		{"hosts: {a: , b: }\nlinks: {x: {ends: {a: 10.0.0.1, b: 10.0.0.2/24}}}", false},
		{"hosts: {a: , b: }\nlinks: {x: {ends: [a, b], impair: {los: 1}}}", false},
	} {
		var value any
		if err := yaml.Unmarshal([]byte(tt.text), &value); err != nil {
			t.Fatal(err)
		}
		if err := obeys(asJSON(value), schema, "$"); (err == nil) != tt.ok {
			t.Errorf("%s\nthe schema says %v, want that it is allowed: %v", tt.text, err, tt.ok)
		}
		if _, err := parse(tt.text); (err == nil) != tt.ok && tt.text != whole {
			t.Errorf("%s\nthe reader says %v, want that it is allowed: %v", tt.text, err, tt.ok)
		}
	}
}

// asJSON is a value of YAML with texts as keys, as JSON has it.
func asJSON(value any) any {
	switch v := value.(type) {
	case []any:
		for i := range v {
			v[i] = asJSON(v[i])
		}
	case map[string]any:
		for key := range v {
			v[key] = asJSON(v[key])
		}
	case map[any]any:
		object := map[string]any{}
		for key := range v {
			object[fmt.Sprint(key)] = asJSON(v[key])
		}
		return object
	}
	return value
}

// obeys checks a value by the words of JSON schemas that Schema uses.
func obeys(value any, schema map[string]any, at string) error {
	for word, rule := range schema {
		switch word {
		case "$schema", "title", "description", "properties", "required":
		case "anyOf":
			if !slices.ContainsFunc(rule.([]any), func(s any) bool { return obeys(value, s.(map[string]any), at) == nil }) {
				return fmt.Errorf("%s: nothing of anyOf", at)
			}
		case "type":
			if kinds, ok := rule.([]any); ok {
				if !slices.ContainsFunc(kinds, func(k any) bool { return isA(value, k.(string)) }) {
					return fmt.Errorf("%s: want one of %v", at, kinds)
				}
			} else if !isA(value, rule.(string)) {
				return fmt.Errorf("%s: want %v", at, rule)
			}
		case "enum":
			if !slices.Contains(rule.([]any), value) {
				return fmt.Errorf("%s: want one of %v", at, rule)
			}
		case "pattern":
			if text, ok := value.(string); !ok || !regexp.MustCompile(rule.(string)).MatchString(text) {
				return fmt.Errorf("%s: want %v", at, rule)
			}
		case "minimum", "maximum":
			n, ok := value.(int)
			if !ok || word == "minimum" && float64(n) < rule.(float64) || word == "maximum" && float64(n) > rule.(float64) {
				return fmt.Errorf("%s: %s %v", at, word, rule)
			}
		case "items":
			list, _ := value.([]any)
			for _, item := range list {
				if err := obeys(item, rule.(map[string]any), at+"[]"); err != nil {
					return err
				}
			}
		case "additionalProperties":
			if err := obeysKeys(value, schema, at); err != nil {
				return err
			}
		default:
			return fmt.Errorf("%s: the test knows no %q", at, word)
		}
	}
	return nil
}

// obeysKeys checks the keys of a mapping and what they stand for.
func obeysKeys(value any, schema map[string]any, at string) error {
	object, ok := value.(map[string]any)
	if !ok {
		return nil // up to type
	}
	properties, _ := schema["properties"].(map[string]any)
	for key, v := range object {
		rule, known := properties[key].(map[string]any)
		if !known {
			if rule, known = schema["additionalProperties"].(map[string]any); !known {
				return fmt.Errorf("%s: no key %s", at, key)
			}
		}
		if err := obeys(v, rule, at+"."+key); err != nil {
			return err
		}
	}
	required, _ := schema["required"].([]any)
	for _, key := range required {
		if _, ok := object[key.(string)]; !ok {
			return fmt.Errorf("%s: %v is missing", at, key)
		}
	}
	return nil
}

// isA reports whether a value has a type of JSON.
func isA(value any, kind string) bool {
	switch value.(type) {
	case string:
		return kind == "string"
	case bool:
		return kind == "boolean"
	case int:
		return kind == "integer" || kind == "number"
	case float64:
		return kind == "number"
	case []any:
		return kind == "array"
	case map[string]any:
		return kind == "object"
	}
	return kind == "null"
}
