package keep

import (
	"regexp"
	"strings"
)

// yamlKey is a key of YAML whose value is a secret.
var yamlKey = regexp.MustCompile(`(?i)^(?:["']` + secretName + `["'][ \t]*:[ \t]*|` + secretName + `[ \t]*:(?:[ \t]+|$))`) // JSON, which is YAML, has no space behind the colon

const secretName = `[a-z0-9_.-]*(?:password|passphrase|secret|privatekey|secretkey|apitoken|accesskey)`

// yamlSecret returns where the first key is whose value is a secret that anybody can read, or -1. It reads lines, as a file need not be valid:
// block style and {flow: style}, quoted and block scalars, comments.
func yamlSecret(text string) int {
	depth, opened := 0, 0 // of braces that are open, and how far in the line is that has opened the first
	for at := 0; at < len(text); {
		line, after, _ := strings.Cut(text[at:], "\n")
		next := at + len(line) + 1
		line = strings.TrimRight(line, "\r")
		within := depth > 0 && (indentOf(line) > opened || strings.TrimSpace(line) == "")
		if !within {
			depth, opened = 0, indentOf(line)
		}
		var places []int
		places, depth = keyPlaces(line, depth)
		for i, start := range places {
			key := yamlKey.FindString(line[start:])
			if key != "" && open(yamlScalar(line[start+len(key):], after, indentOf(line), within || i > 0)) {
				return at + start
			}
		}
		at = next
	}
	return -1
}

// keyPlaces are where keys can begin in a line: its first word, and what follows a brace or a comma within braces, of which so many are open before
// the line, and left after it.
func keyPlaces(line string, depth int) (places []int, left int) {
	first := len(line) - len(strings.TrimLeft(line, " \t-"))
	places = []int{first}
	place := func(i int) { places = append(places, i+len(line[i:])-len(strings.TrimLeft(line[i:], " \t"))) }
	fresh := true // fresh: a new scalar or collection can begin
	for i := first; i < len(line); i++ {
		switch c := line[i]; {
		case c == '#' && (i == 0 || line[i-1] == ' ' || line[i-1] == '\t'):
			return places, depth
		case fresh && (c == '"' || c == '\''):
			i, fresh = i+quotedLength(line[i:])-1, false
		case fresh && (c == '{' || c == '['):
			depth++
			place(i + 1)
		case c == '}' || c == ']':
			depth, fresh = max(depth-1, 0), false
		case c == ',' && depth > 0:
			fresh = true
			place(i + 1)
		case c == ':':
			fresh = true
		case c != ' ' && c != '\t' && c != '-':
			fresh = false
		}
	}
	return places, depth
}

// quotedLength is how long a quoted scalar at the beginning of a text is, with its quotes; all of the text where it does not end.
func quotedLength(text string) int {
	for i := 1; i < len(text); i++ {
		switch {
		case text[0] == '"' && text[i] == '\\':
			i++
		case text[i] != text[0]:
		case text[0] == '\'' && i+1 < len(text) && text[i+1] == '\'':
			i++
		default:
			return i + 1
		}
	}
	return len(text)
}

// yamlScalar is the value behind a key: what is left of its line, or the first line of a block scalar. A collection is no scalar: its keys are looked at
// for themselves.
func yamlScalar(value, after string, indent int, flow bool) string {
	value = strings.TrimSpace(value)
	for strings.HasPrefix(value, "&") || strings.HasPrefix(value, "!") { // an anchor or a tag
		_, value, _ = strings.Cut(value, " ")
		value = strings.TrimSpace(value)
	}
	if value == "" || value[0] == '#' {
		return lineBelow(after, indent)
	}
	switch value[0] {
	case '"', '\'':
		return value[:quotedLength(value)]
	case '{', '[', '*':
		return ""
	case '|', '>':
		for line := range strings.Lines(after) {
			if text := strings.TrimSpace(line); text != "" {
				if indentOf(line) > indent {
					return text
				}
				return ""
			}
		}
		return ""
	}
	if flow {
		value, _, _ = strings.Cut(value, ",")
		if !strings.HasPrefix(value, "$") {
			value = strings.TrimRight(value, "}] ")
		}
	}
	value, _, _ = strings.Cut(value, " #")
	return value
}

// lineBelow is the scalar that begins on a line below its key, or "" where another key or a collection is there.
func lineBelow(after string, indent int) string {
	for line := range strings.Lines(after) {
		text := strings.TrimSpace(line)
		switch {
		case text == "" || text[0] == '#':
			continue
		case indentOf(line) <= indent || strings.ContainsRune("-?:{}[],|>*&!%@", rune(text[0])):
			return ""
		case text[0] == '"' || text[0] == '\'':
			length := quotedLength(text)
			if strings.HasPrefix(strings.TrimLeft(text[length:], " \t"), ":") {
				return ""
			}
			return text[:length]
		case strings.HasSuffix(text, ":") || strings.Contains(text, ": ") || strings.Contains(text, ":\t"):
			return ""
		}
		text, _, _ = strings.Cut(text, " #")
		return text
	}
	return ""
}

func indentOf(line string) int { return len(line) - len(strings.TrimLeft(line, " ")) }
