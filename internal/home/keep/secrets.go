package keep

import (
	"bytes"
	"path"
	"regexp"
	"strings"
)

// What a history must never hold. Jenkins writes encrypted values as {base64}, which say nothing without secrets/.
var (
	privateKey = regexp.MustCompile(`-----BEGIN ([A-Z0-9]+ )*PRIVATE KEY( BLOCK)?-----`)
	awsKey     = regexp.MustCompile(`\b(AKIA|ASIA)[A-Z0-9]{16}\b`)
	userInURL  = regexp.MustCompile(`\b[a-zA-Z][a-zA-Z0-9+.-]*://[^\s/:@<>"'{}$&;]+:([^\s/@<>"']+)@[^\s<>"'/]`)
	element    = regexp.MustCompile(`<([A-Za-z0-9_.-]*(?i:password|passphrase|secret|privatekey|secretkey|apitoken|accesskey|secrettext))(?:\s[^>]*)?>([^<]+)</`)
	encrypted  = regexp.MustCompile(`^\{[A-Za-z0-9+/=]+\}$`)
	tokens     = regexp.MustCompile(`\b(gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{22,}|glpat-[A-Za-z0-9_-]{20,}|xox[abprs]-[A-Za-z0-9-]{10,})`)
)

// FindSecret returns what secret a content holds and in which line, or "" for none.
func FindSecret(name string, data []byte) (what string, line int) {
	at := func(index []int) int { return 1 + bytes.Count(data[:index[0]], []byte("\n")) }
	for _, search := range []struct {
		need string // what must be there before the expression is worth its time
		expr *regexp.Regexp
		what string
	}{
		{"PRIVATE KEY", privateKey, "a private key"}, {"A", awsKey, "an access key of AWS"}, {"_", tokens, "an access token"}, {"-", tokens, "an access token"},
	} {
		if !bytes.Contains(data, []byte(search.need)) {
			continue
		}
		if found := search.expr.FindIndex(data); found != nil {
			return search.what, at(found)
		}
	}
	if bytes.Contains(data, []byte("://")) {
		for _, found := range userInURL.FindAllSubmatchIndex(data, -1) {
			if open(string(data[found[2]:found[3]])) {
				return "a password in a URL", at(found)
			}
		}
	}
	switch path.Ext(name) {
	case ".yaml", ".yml":
		if i := yamlSecret(string(data)); i >= 0 {
			return "a password that is not encrypted", at([]int{i})
		}
	case ".xml":
		for _, found := range element.FindAllSubmatchIndex(data, -1) {
			if open(string(data[found[4]:found[5]])) {
				return "a password that is not encrypted", at(found)
			}
		}
	}
	return "", 0
}

// open says whether a value can be read by anybody: it is not empty, not encrypted, and not the name of a variable.
func open(value string) bool {
	value = strings.Trim(strings.TrimSpace(value), `"'`)
	switch strings.ToLower(value) {
	case "", "true", "false", "null", "~", "|", ">", "***", "****":
		return false
	}
	return !encrypted.MatchString(value) && !strings.HasPrefix(value, "$")
}
