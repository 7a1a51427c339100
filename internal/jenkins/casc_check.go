package jenkins

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// CascProblem is what keeps files of configuration as code from being read together. The value of a secret is never in it.
type CascProblem struct {
	// File is the name of the file, Line counts from 1 (0: unknown), Key is the path of the key, empty for the whole file.
	File string
	Line int
	Key  string
	// Problem and Fix are for people.
	Problem, Fix string
}

func (p CascProblem) String() string {
	at := p.File
	if p.Line > 0 {
		at += fmt.Sprintf(":%d", p.Line)
	}
	if p.Key != "" {
		at += ": " + p.Key
	}
	return at + ": " + p.Problem
}

// CheckCasc reads the files as JCasC merges them with its strategy errorOnConflict: mappings are joined, lists are appended, and a value
// that two files have ends the start, as does a key that is a list here and a value there. Secrets must be ${...}. The list of clouds may
// be in one file only, because two Mesos clouds have one name.
func CheckCasc(files []File) []CascProblem {
	var problems []CascProblem
	seen := map[string]cascKey{}
	for _, file := range files {
		keys, err := cascKeys(file)
		if err != nil {
			problems = append(problems, CascProblem{File: file.Path, Problem: "cannot be read: " + strings.SplitN(err.Error(), "\n", 2)[0], Fix: "mend the YAML"})
			continue
		}
		for _, key := range keys {
			add := func(problem, fix string) {
				problems = append(problems, CascProblem{File: file.Path, Line: key.line, Key: key.path, Problem: problem, Fix: fix})
			}
			if key.inlineSecret() {
				add("has a secret in the file itself", "write ${NAME}, and give NAME to the controller as a file in its folder of secrets")
			}
			if key.inList {
				continue
			}
			first, twice := seen[key.path]
			switch {
			case !twice:
				seen[key.path] = key
			case first.file == file.Path:
			case first.kind != key.kind:
				add(fmt.Sprintf("is a %s here and a %s in %s", key.kind, first.kind, first.file), "write it in one of them")
			case key.kind == "value" || key.path == "jenkins.clouds":
				add("is in "+first.file+" already, so Jenkins would not start", "leave it out of one of them")
			}
		}
	}
	return problems
}

// cascKey is one key of a file. Its kind is mapping, list or value.
type cascKey struct {
	file, path, kind string
	line             int
	inList           bool
	text             string // of a value
	plain            bool   // true, false or null
}

var secretKey = regexp.MustCompile(`(?i)(password|passwd|passphrase|secret|token|privatekey|apikey|accesskey|secretkey)$`)

// reference is all that a secret may be; a default in it would be the secret itself.
var reference = regexp.MustCompile(`^\$\{[^\s]+\}$`)

func (k cascKey) inlineSecret() bool {
	switch text := strings.TrimSpace(k.text); {
	case k.kind != "value" || k.plain || text == "" || strings.HasPrefix(text, "#jbcrypt:"):
		return false
	case strings.Contains(text, "PRIVATE KEY-----"):
		return true
	default:
		name := k.path[strings.LastIndex(k.path, ".")+1:]
		return secretKey.MatchString(name) && (!reference.MatchString(text) || strings.Contains(text, ":-"))
	}
}

func cascKeys(file File) ([]cascKey, error) {
	var root map[string]any
	if err := yaml.Unmarshal(file.Data, &root); err != nil { // keys that are there twice, too
		return nil, err
	}
	parsed, err := parser.ParseBytes(file.Data, 0)
	if err != nil {
		return nil, err
	}
	w := &cascWalk{file: file.Path}
	for _, doc := range parsed.Docs {
		if doc.Body != nil {
			w.node(doc.Body, "", 0, false)
		}
	}
	return w.keys, nil
}

type cascWalk struct {
	file string
	keys []cascKey
}

func (w *cascWalk) node(n ast.Node, path string, line int, inList bool) {
	key := cascKey{file: w.file, path: path, line: line, inList: inList, kind: "value"}
	switch v := n.(type) {
	case *ast.AnchorNode:
		w.node(v.Value, path, line, inList)
		return
	case *ast.TagNode:
		w.node(v.Value, path, line, inList)
		return
	case *ast.MappingNode:
		key.kind = "mapping"
		w.add(key)
		for _, value := range v.Values {
			w.entry(value, path, inList)
		}
		return
	case *ast.MappingValueNode:
		key.kind = "mapping"
		w.add(key)
		w.entry(v, path, inList)
		return
	case *ast.SequenceNode:
		key.kind = "list"
		w.add(key)
		for i, value := range v.Values {
			w.node(value, fmt.Sprintf("%s[%d]", path, i), value.GetToken().Position.Line, true)
		}
		return
	case *ast.BoolNode, *ast.NullNode:
		key.plain = true
	case *ast.LiteralNode:
		key.text = v.Value.Value
	case *ast.StringNode:
		key.text = v.Value
	default:
		key.text = n.String()
	}
	w.add(key)
}

func (w *cascWalk) entry(v *ast.MappingValueNode, path string, inList bool) {
	name := strings.Trim(v.Key.String(), `"'`)
	if path != "" {
		name = path + "." + name
	}
	w.node(v.Value, name, v.Key.GetToken().Position.Line, inList)
}

func (w *cascWalk) add(k cascKey) {
	if k.path != "" {
		w.keys = append(w.keys, k)
	}
}
