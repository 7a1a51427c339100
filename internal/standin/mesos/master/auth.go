package master

import (
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"

	"github.com/mesos/mesos-go/api/v1/lib/scheduler"

	"github.com/jomctl/jomctl/internal/standin/mesos/wire"
)

// Real masters know agents, and frameworks that come through libmesos, by CRAM-MD5 over libprocess, and HTTP frameworks by basic
// authentication. Nothing here speaks libprocess, so everybody shows a credential by basic authentication: agents on the
// stand-ins' private endpoints, and the stand-in for Marathon on the scheduler API, where wire.DriverHeader says that it is in the
// place of a framework of libmesos. As in a real master, a framework without that header is an HTTP one, which is asked for a
// credential only with --authenticate_http_frameworks.

const frameworkRealm = "mesos-master-scheduler"

// proof is what a request shows.
type proof int

const (
	showsNothing proof = iota
	showsWrong
	showsRight
)

// checkAuthentication reads --credentials and refuses what the real master refuses.
func checkAuthentication(f *flags) error {
	for _, name := range []string{"authenticate_http_readonly", "authenticate_http_readwrite"} {
		if f.yes(name) {
			return fatalf("The stand-in leaves out authentication of operators (--%s)", name)
		}
	}
	for name, standard := range map[string]string{"authenticators": "crammd5", "http_authenticators": "basic", "http_framework_authenticators": "basic"} {
		if f.given(name) && f.get(name) != standard {
			return fatalf("The stand-in has no modules (--%s=%s)", name, f.get(name))
		}
	}
	if f.given("credentials") {
		if err := f.readCredentials(); err != nil {
			return err
		}
	}
	if !f.yes("authenticate_http_frameworks") {
		return nil
	}
	if !f.given("http_framework_authenticators") {
		return fatalf("Missing `--http_framework_authenticators` flag. This must be used in conjunction with `--authenticate_http_frameworks`")
	}
	if f.secrets == nil {
		return fatalf("Failed to create HTTP authenticator module 'basic': No credentials provided for the default 'basic' HTTP authenticator for realm '%s'", frameworkRealm)
	}
	return nil
}

func (f *flags) readCredentials() error {
	path := strings.TrimPrefix(f.get("credentials"), "file://")
	data, err := os.ReadFile(path)
	if err != nil {
		return fatalf("Failed to read credentials file '%s': %v (see --credentials flag)", path, err)
	}
	var file struct {
		Credentials []struct{ Principal, Secret string }
	}
	if len(data) == 0 {
		return fatalf("Credentials file must contain at least one credential (see --credentials flag)")
	}
	if json.Unmarshal(data, &file) != nil { // whose text might show a secret
		return fatalf("Invalid json format in '%s' (see --credentials flag)", path)
	}
	f.secrets = map[string]string{}
	for _, one := range file.Credentials {
		f.secrets[one.Principal] = one.Secret
	}
	return nil
}

// shown is the principal that the request speaks for.
func (s *server) shown(r *http.Request) (principal string, what proof) {
	principal, secret, ok := r.BasicAuth()
	if !ok {
		return "", showsNothing
	}
	known, found := s.flags.secrets[principal]
	if subtle.ConstantTimeCompare([]byte(known), []byte(secret)) != 1 || !found {
		return "", showsWrong
	}
	return principal, showsRight
}

// agentOnly lets authenticated agents through, and others only where none is asked for a credential. A wrong credential is 403,
// after which an agent ends; one without any is refused for ever and stays.
func (s *server) agentOnly(handle http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, what := s.shown(r)
		switch {
		case what == showsWrong:
			s.log("Refused authentication of an agent at %s", r.RemoteAddr)
			answerText(w, http.StatusForbidden, "refused authentication")
		case what == showsNothing && s.flags.yes("authenticate_agents"):
			s.log("Refusing registration of agent at %s because it is not authenticated", r.RemoteAddr)
			answerText(w, http.StatusUnauthorized, "the agent is not authenticated")
		default:
			handle(w, r)
		}
	}
}

// admitFramework says whether the caller may use the scheduler API, and as which principal; none where nobody asks. The answer is
// given when it returns false.
func (s *server) admitFramework(w http.ResponseWriter, r *http.Request) (principal string, ok bool) {
	principal, what := s.shown(r)
	if r.Header.Get(wire.DriverHeader) == "" {
		if !s.flags.yes("authenticate_http_frameworks") {
			return "", true
		}
		if what != showsRight {
			w.Header().Set("WWW-Authenticate", fmt.Sprintf("Basic realm=%q", frameworkRealm))
			answerText(w, http.StatusUnauthorized, "401 Unauthorized.")
			return "", false
		}
		return principal, true
	}
	switch {
	case what == showsWrong:
		s.log("Refused authentication of a framework at %s", r.RemoteAddr)
		answerText(w, http.StatusForbidden, fmt.Sprintf("Master %s refused authentication", s.info.GetPID()))
	case what == showsNothing && s.flags.yes("authenticate_frameworks"):
		s.log("Refusing a framework at %s because it is not authenticated", r.RemoteAddr)
		answerText(w, http.StatusForbidden, fmt.Sprintf("Framework at %s is not authenticated", r.RemoteAddr))
	default:
		return principal, true
	}
	return "", false
}

// foreignPrincipal is the complaint about a framework that names another principal than it has shown; empty when it does not.
func foreignPrincipal(c *scheduler.Call, principal string) string {
	if c.Type != scheduler.Call_SUBSCRIBE || principal == "" {
		return ""
	}
	if named := c.Subscribe.FrameworkInfo.GetPrincipal(); named != "" && named != principal {
		return fmt.Sprintf("Authenticated principal '%s' does not match principal '%s' set in `FrameworkInfo`", principal, named)
	}
	return ""
}
