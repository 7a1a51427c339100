package doctor

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"html"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// hidden stands where a secret was.
const hidden = "[redacted]"

// shortestSecret is the length from which a known secret is looked for everywhere: a shorter one would also hide parts
// of words that tell something.
const shortestSecret = 6

// Redactor takes secrets out of text: those that it is told, and whatever looks like one. It rather hides too much.
type Redactor struct {
	known []string
	// whole are for what may go over several lines; they cost a second per MB, so each needs its text to be there.
	whole []rule
	// lines are for one line, and only for one that has any of the words.
	lines []rule
}

type rule struct {
	needs   string
	pattern *regexp.Regexp
	with    string
}

// words are in every line that the rules for lines can change, in lower case.
func words() []string {
	return []string{"pass", "token", "secret", "credential", "key", "authorization", "cookie", "crumb", "bcrypt", "$", "@", "basic ", "bearer ", "digest "}
}

// secretName are names whose values are secrets: of variables, fields, flags and keys, in any case.
const secretName = `[A-Za-z0-9_.\-]*(?:password|passwd|passphrase|token|secret|credential|apikey|api_key|api-key|private_key|privatekey|access_key|accesskey|authorization|cookie|crumb|jbcrypt)[A-Za-z0-9_.\-]*`

// NewRedactor returns one that also knows these secrets by their values; those shorter than 6 bytes are only found by
// where they stand.
func NewRedactor(secrets ...string) *Redactor {
	r := &Redactor{}
	for _, secret := range secrets {
		if secret = strings.TrimSpace(secret); len(secret) >= shortestSecret {
			r.known = append(r.known, written(secret)...)
		}
	}
	// A secret that contains another one goes first.
	slices.SortFunc(r.known, func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
	r.known = slices.Compact(r.known)
	whole := func(needs, pattern, with string) {
		r.whole = append(r.whole, rule{needs, regexp.MustCompile(pattern), with})
	}
	add := func(pattern, with string) { r.lines = append(r.lines, rule{"", regexp.MustCompile(pattern), with}) }
	whole("PRIVATE KEY", `(?s)-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|\z)`, hidden)
	whole("PRIVATE KEY", `(?s)\A[A-Za-z0-9+/=\s]*-----END [A-Z0-9 ]*PRIVATE KEY-----`, hidden) // a log that was cut within one
	add(`\$2[abxy]?\$\d\d\$[./A-Za-z0-9]{20,}`, hidden)                                        // bcrypt
	add(`\$(?:1|5|6|y|argon2id?|pbkdf2[a-z0-9-]*)\$[^\s"'<>:]{8,}`, hidden)                    // crypt(3) and its kin
	add(`([A-Za-z][A-Za-z0-9+.\-]*://)[^\s/@"'<>]*@`, "${1}"+hidden+"@")                       // user and password of a URL
	add(`(?i)\b((?:proxy-)?authorization["']?\s*[:=]\s*["']?)[^"'\r\n]+`, "${1}"+hidden)       // the whole rest of the header
	add(`(?i)\b((?:set-)?cookie["']?\s*:\s*["']?)[^"'\r\n]+`, "${1}"+hidden)
	add(`(?i)\b(Basic|Bearer|Digest)\s+[A-Za-z0-9+/=._~\-]{8,}`, "${1} "+hidden)
	// {"name":"X_TOKEN","value":"..."} and the same the other way round, as Mesos writes environments.
	whole(`"value"`, `(?i)("name"\s*:\s*"`+secretName+`"\s*,(?:\s*"type"\s*:\s*"[^"]*"\s*,)?\s*"value"\s*:\s*")(?:[^"\\]|\\.)*(?:"|\\?\z)`, "${1}"+hidden+`"`)
	whole(`"value"`, `(?i)("value"\s*:\s*")(?:[^"\\]|\\.)*("\s*,\s*(?:"type"\s*:\s*"[^"]*"\s*,\s*)?"name"\s*:\s*"`+secretName+`")`, "${1}"+hidden+"${2}")
	// "password": "..." with any quoting, also of JSON inside JSON.
	add(`(?i)(["']`+secretName+`["']\s*:\s*)"(?:[^"\\]|\\.)*(?:"|\\?\z)`, "${1}\""+hidden+"\"")
	add(`(?i)(\\+"`+secretName+`\\+"\s*:\s*\\+")[^"]*(\\+")`, "${1}"+hidden+"${2}")
	add(`(?i)(\\*["']`+secretName+`\\*["']\s*:\s*)-?[0-9][0-9.eE+\-]*`, "${1}\""+hidden+"\"")
	whole("</", `(?i)(<(`+secretName+`)(?:\s[^>]*)?>)[^<]+(</)`, "${1}"+hidden+"${3}") // <password>...</password>
	// --password VALUE and -Dx.token=VALUE, X_TOKEN=value, password: value. A source (file:, env:) is no secret.
	add(`(?i)(--?`+secretName+`[ =])("[^"]*"|'[^']*'|[^\s"']+)`, "${1}"+hidden)
	add(`(?im)(^|[\s,;{(&?])(`+secretName+`=)("[^"\n]*"|'[^'\n]*'|[^\s"',;&]+)`, "${1}${2}"+hidden)
	return r
}

// written are the ways in which a secret may be written: as it is, in JSON and in JSON within JSON, in a URL, in XML, and in base64.
func written(secret string) []string {
	all := []string{secret, url.QueryEscape(secret), url.PathEscape(secret), html.EscapeString(secret), base64.StdEncoding.EncodeToString([]byte(secret))}
	inner := secret
	for range 2 {
		data, err := json.Marshal(inner)
		if err != nil {
			break
		}
		inner = strings.Trim(string(data), `"`)
		all = append(all, inner)
	}
	var plain strings.Builder // JSON that leaves <, > and & as they are
	encoder := json.NewEncoder(&plain)
	encoder.SetEscapeHTML(false)
	if encoder.Encode(secret) == nil {
		all = append(all, strings.Trim(strings.TrimSpace(plain.String()), `"`))
	}
	return all
}

// yamlSecret is `password: value` at the beginning of a line.
var yamlSecret = regexp.MustCompile(`(?im)^([\s\-{]*` + secretName + `\s*:[ \t]+)([^\s#][^\n]*)$`)

// innerSecret is the same within a line: {user: x, password: value}, or a log that says `bad token: value`.
var innerSecret = regexp.MustCompile(`(?i)([\s,;{(\[]` + secretName + `\s*:[ \t]+)("(?:[^"\\]|\\.)*"|'[^']*'|[^\s"',;{}()\[\]]{4,})`)

// Text returns the text without secrets.
func (r *Redactor) Text(text string) string {
	for _, secret := range r.known {
		text = strings.ReplaceAll(text, secret, hidden)
	}
	for _, one := range r.whole {
		if strings.Contains(text, one.needs) {
			text = one.pattern.ReplaceAllString(text, one.with)
		}
	}
	var out strings.Builder
	out.Grow(len(text))
	for line := range strings.Lines(text) {
		out.WriteString(r.line(line))
	}
	return out.String()
}

func (r *Redactor) line(line string) string {
	lower := strings.ToLower(line)
	if !slices.ContainsFunc(words(), func(word string) bool { return strings.Contains(lower, word) }) {
		return line
	}
	for _, one := range r.lines {
		line = one.pattern.ReplaceAllString(line, one.with)
	}
	for _, pattern := range []*regexp.Regexp{yamlSecret, innerSecret} {
		line = pattern.ReplaceAllStringFunc(line, func(part string) string {
			parts := pattern.FindStringSubmatch(part)
			if harmless(strings.Trim(parts[2], `"' `)) {
				return part
			}
			return parts[1] + hidden
		})
	}
	return line
}

// harmless says of the value of a secret that it tells where it is, or nothing.
func harmless(value string) bool {
	return strings.HasPrefix(value, "file:") || strings.HasPrefix(value, "env:") || strings.HasPrefix(value, hidden) ||
		slices.Contains([]string{"true", "false", "null", "none"}, strings.ToLower(value))
}
