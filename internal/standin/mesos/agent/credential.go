package agent

import (
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"strings"
)

// errRefused is a master that does not take the agent's credential, after which the agent ends.
var errRefused = errors.New("the master refused authentication")

// login is the agent's credential. The real agent proves with CRAM-MD5 over libprocess that it has it; this one shows it by basic
// authentication on the stand-ins' own endpoints.
type login struct {
	Principal string `json:"principal"`
	Secret    string `json:"secret"`
}

// readCredential reads the file of --credential; without that flag there is none.
func readCredential(f *flags) (*login, error) {
	if !f.has("credential") {
		return nil, nil
	}
	path := strings.TrimPrefix(f.get("credential"), "file://")
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, words("Failed to read credential file '%s': %w (see --credential flag)", path, err)
	}
	if len(data) == 0 {
		return nil, words("Empty credential file '%s' (see --credential flag)", path)
	}
	var l login
	if json.Unmarshal(data, &l) != nil || l.Principal == "" { // whose text might show the secret
		return nil, words("Invalid json format in credential file '%s' (see --credential flag)", path)
	}
	return &l, nil
}

// on makes every request show the credential, where there is one.
func (l *login) on(inner http.RoundTripper) http.RoundTripper {
	if l == nil {
		return inner
	}
	return shower{inner, l}
}

type shower struct {
	http.RoundTripper
	login *login
}

// RoundTrip sends a copy of the request with the credential.
func (s shower) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.SetBasicAuth(s.login.Principal, s.login.Secret)
	return s.RoundTripper.RoundTrip(r)
}

// CloseIdleConnections is passed on, as the client looks for it here.
func (s shower) CloseIdleConnections() {
	if inner, ok := s.RoundTripper.(interface{ CloseIdleConnections() }); ok {
		inner.CloseIdleConnections()
	}
}
