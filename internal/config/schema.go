package config

import (
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/invopop/jsonschema"
)

const schemaID = "https://jomctl.github.io/schema/cluster-v1.json"

// Schema is the JSON Schema (draft 2020-12) of cluster.yaml, for editors and other checks. What one value has to do with
// another is not in it: that is Validate's.
func Schema() ([]byte, error) {
	out, err := json.MarshalIndent(schema(), "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write the JSON Schema: %w", err)
	}
	return append(out, '\n'), nil
}

func schema() *jsonschema.Schema {
	docs := comments()
	r := &jsonschema.Reflector{
		Anonymous:                  true,
		FieldNameTag:               "yaml",
		RequiredFromJSONSchemaTags: true, // with no such tags: nothing, the lists below say what is
		Mapper:                     mapped,
		LookupComment: func(t reflect.Type, field string) string {
			if field == "" {
				return docs[t.Name()]
			}
			f, _ := t.FieldByName(field)
			key, _ := keyOf(f)
			return describe(docs[t.Name()+"."+field], field, key)
		},
	}
	s := r.Reflect(&Cluster{})
	s.ID = schemaID
	s.Title = "cluster.yaml of jomctl"
	for name, required := range map[string][]string{
		"Cluster": {"apiVersion", "name", "target"},
		"Host":    {"name", "address", "roles"},
		"SCM":     {"repository"},
		"Backup":  {"repository"},
		"Window":  {"days", "start", "length"},

		"DrillTarget": {"scenario"},
		"Power":       {"off", "on"},
	} {
		s.Definitions[name].Required = required
	}
	refine(s.Definitions)
	return s
}

// refine adds the rules that are no part of the types.
func refine(defs jsonschema.Definitions) {
	property := func(def, name string) *jsonschema.Schema {
		p, ok := defs[def].Properties.Get(name)
		if !ok {
			panic("config: the schema has no " + def + "." + name)
		}
		return p
	}
	between := func(p *jsonschema.Schema, least, most int) {
		p.Minimum, p.Maximum = number(least), number(most)
	}
	property("Cluster", "apiVersion").Const = APIVersion
	for _, p := range []*jsonschema.Schema{property("Cluster", "name"), property("Host", "name")} {
		p.Pattern = dnsLabel.String()
	}
	property("Local", "address").Pattern = `^127\.[0-9]{1,3}\.[0-9]{1,3}\.0$`
	property("Local", "control").Enum = []any{1, 3, 5}
	between(property("Local", "agents"), 1, maxLocalAgents)
	between(property("SSH", "port"), 1, 65535)
	between(property("Images", "userID"), 1, userNumbers)
	property("Images", "java").Pattern = debianPackage.String()
	property("Images", "packages").Items = &jsonschema.Schema{Type: "string", Pattern: debianPackage.String()}
	between(property("App", "httpPort"), 1, 65535)
	between(property("App", "agentPort"), 1, 65535)
	for _, def := range []string{"Resources", "App", "Template"} {
		property(def, "cpus").ExclusiveMinimum = number(0)
	}
	property("Reserve", "cpus").Minimum = number(0)
	property("Jenkins", "sha256").Pattern = `^([0-9a-fA-F]{64})?$`
	property("Window", "start").Pattern = clock.String()
	property("Window", "days").Items = enum(weekdays())

	source := defs["Source"]
	var one []*jsonschema.Schema
	for _, kind := range sourceKinds() {
		one = append(one, &jsonschema.Schema{Required: []string{kind}})
	}
	source.OneOf = one
	property("Source", "sha256").Pattern = checksum.String()
	for _, def := range []string{"Component", "MesosComponent", "MarathonComponent"} {
		defs[def].Properties.Set("source", &jsonschema.Schema{
			Description: property(def, "source").Description,
			OneOf:       []*jsonschema.Schema{{Const: "standin", Type: "string"}, {Ref: "#/$defs/Source"}},
		})
	}
	property("BasicAuth", "user").Pattern = basicUser.String()
}

// mapped is the schema of the types that are plain words in the file.
func mapped(t reflect.Type) *jsonschema.Schema {
	switch t {
	case reflect.TypeFor[Size]():
		return &jsonschema.Schema{Type: "string", Pattern: SizePattern, Examples: []any{"512MiB", "2GiB"}}
	case reflect.TypeFor[Duration]():
		return &jsonschema.Schema{Type: "string", Pattern: DurationPattern, Examples: []any{"30s", "10m", "4h"}}
	case reflect.TypeFor[Secret]():
		return &jsonschema.Schema{Type: "string", Pattern: secretForm.String(), Examples: []any{"env:NAME", "file:PATH"}}
	case reflect.TypeFor[Target]():
		return enum(words(Targets()))
	case reflect.TypeFor[Role]():
		return enum(words(Roles()))
	case reflect.TypeFor[HomeType]():
		return enum(words([]HomeType{HomeHost, HomeShared}))
	case reflect.TypeFor[CloudLine]():
		return enum(words([]CloudLine{LineHTTP, LineLibmesos}))
	case reflect.TypeFor[Stage]():
		return enum(words(Stages()))
	case reflect.TypeFor[DockerAccess]():
		return enum(words([]DockerAccess{DockerNone, DockerSocket, DockerDind}))
	}
	return nil
}

func enum(values []string) *jsonschema.Schema {
	s := &jsonschema.Schema{Type: "string"}
	for _, v := range values {
		s.Enum = append(s.Enum, v)
	}
	return s
}

func number(n int) json.Number { return json.Number(fmt.Sprint(n)) }
