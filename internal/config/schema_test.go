package config

import (
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/require"
)

// conforms is as much of JSON Schema as this schema uses. A keyword that it does not know is an error, so that none is
// passed over.
func conforms(root, schema map[string]any, at string, value any) error {
	for keyword, arg := range schema {
		var err error
		switch keyword {
		case "$ref":
			name := strings.TrimPrefix(arg.(string), "#/$defs/")
			err = conforms(root, root["$defs"].(map[string]any)[name].(map[string]any), at, value)
		case "type":
			err = hasType(arg.(string), at, value)
		case "const":
			if value != arg {
				err = fmt.Errorf("%s: %v is not %v", at, value, arg)
			}
		case "enum":
			err = fmt.Errorf("%s: %v is not one of %v", at, value, arg)
			for _, one := range arg.([]any) {
				if fmt.Sprint(one) == fmt.Sprint(value) {
					err = nil
				}
			}
		case "pattern":
			if s, ok := value.(string); ok && !regexp.MustCompile(arg.(string)).MatchString(s) {
				err = fmt.Errorf("%s: %q does not match %s", at, s, arg)
			}
		case "required":
			for _, key := range arg.([]any) {
				if m, ok := value.(map[string]any); ok && m[key.(string)] == nil {
					err = fmt.Errorf("%s: %s is missing", at, key)
				}
			}
		case "properties":
			err = properties(root, schema, at, value)
		case "items":
			list, _ := value.([]any)
			for i, one := range list {
				if e := conforms(root, arg.(map[string]any), fmt.Sprintf("%s[%d]", at, i), one); e != nil {
					err = e
				}
			}
		case "oneOf":
			matches := 0
			for _, one := range arg.([]any) {
				if conforms(root, one.(map[string]any), at, value) == nil {
					matches++
				}
			}
			if matches != 1 {
				err = fmt.Errorf("%s: matches %d of oneOf", at, matches)
			}
		case "minimum", "maximum", "exclusiveMinimum":
			err = bounded(keyword, arg.(float64), at, value)
		case "$schema", "$id", "$defs", "title", "description", "examples", "additionalProperties":
		default:
			err = fmt.Errorf("%s: the test does not know the keyword %s", at, keyword)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func hasType(want, at string, value any) error {
	got := map[reflect.Kind]string{reflect.Map: "object", reflect.Slice: "array", reflect.String: "string", reflect.Float64: "number", reflect.Bool: "boolean"}[reflect.ValueOf(value).Kind()]
	if f, ok := value.(float64); ok && want == "integer" && f == float64(int(f)) {
		return nil
	}
	if got != want {
		return fmt.Errorf("%s: is %s, not %s", at, got, want)
	}
	return nil
}

func bounded(keyword string, limit float64, at string, value any) error {
	f, ok := value.(float64)
	if ok && (keyword == "minimum" && f < limit || keyword == "maximum" && f > limit || keyword == "exclusiveMinimum" && f <= limit) {
		return fmt.Errorf("%s: %v violates %s %v", at, f, keyword, limit)
	}
	return nil
}

func properties(root, schema map[string]any, at string, value any) error {
	m, _ := value.(map[string]any)
	for key, one := range m {
		p, known := schema["properties"].(map[string]any)[key].(map[string]any)
		if !known {
			if schema["additionalProperties"] == false {
				return fmt.Errorf("%s: unknown key %s", at, key)
			}
			continue
		}
		if err := conforms(root, p, at+"."+key, one); err != nil {
			return err
		}
	}
	return nil
}

func check(t *testing.T, text string) error {
	t.Helper()
	data, err := Schema()
	require.NoError(t, err)
	var root map[string]any
	require.NoError(t, json.Unmarshal(data, &root))
	asJSON, err := yaml.YAMLToJSON([]byte(text))
	require.NoError(t, err)
	var value any
	require.NoError(t, json.Unmarshal(asJSON, &value))
	return conforms(root, root, "", value)
}

func TestValidFilesConformToTheSchema(t *testing.T) {
	for _, text := range []string{threeLines, hostsFile, threeLines + authenticated} {
		require.NoError(t, check(t, text))
		require.NoError(t, check(t, string(Show(parse(t, text)))))
	}
}

func TestTheSchemaRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"apiVersion: jomctl/v1\nname: ci\n":                                                "target is missing",
		strings.Replace(threeLines, "v1", "v2", 1):                                         "is not jomctl/v1",
		strings.Replace(threeLines, "local", "here", 1):                                    "is not one of",
		strings.Replace(threeLines, "ci", "C_I", 1):                                        "does not match",
		threeLines + "colour: red\n":                                                       "unknown key colour",
		threeLines + "local: {control: 2}\n":                                               "is not one of [1 3 5]",
		threeLines + "local: {agents: 201}\n":                                              "violates maximum",
		threeLines + "jenkins: {app: {mem: 512}}\n":                                        "not string",
		threeLines + "jenkins: {app: {mem: \"512\"}}\n":                                    "does not match",
		threeLines + "jenkins: {app: {grace: soon}}\n":                                     "does not match",
		threeLines + "jenkins: {app: {cpus: 0}}\n":                                         "violates exclusiveMinimum",
		threeLines + "jenkins: {admin: {password: hunter2}}\n":                             "does not match",
		threeLines + "components: {mesos: {source: real}}\n":                               "matches 0 of oneOf",
		threeLines + "components: {mesos: {source: {apt: a, deb: b}}}\n":                   "matches 0 of oneOf",
		threeLines + "components: {mesos: {authentication: 1}}\n":                          "is number, not boolean",
		threeLines + "components: {marathon: {basicAuth: {user: \"a:b\"}}}\n":              "does not match",
		threeLines + "maintenance: {windows: [{days: [x], start: \"22:00\", length: 4h}]}": "is not one of",
	} {
		require.ErrorContains(t, check(t, text), want, text)
	}
}

// TestEveryKeyIsDescribed keeps the reference, the schema and written files complete.
func TestEveryKeyIsDescribed(t *testing.T) {
	s := schema()
	require.NotEmpty(t, s.Definitions)
	for name, def := range s.Definitions {
		require.NotEmpty(t, def.Description, name)
		for p := def.Properties.Oldest(); p != nil; p = p.Next() {
			require.NotEmpty(t, p.Value.Description, name+"."+p.Key)
		}
	}
	for _, path := range keyPaths(reflect.TypeFor[Cluster](), "") {
		require.NotContains(t, path, "-")
	}
}
