package marathon

import (
	"fmt"
	"os"
	"strings"

	"github.com/jomctl/jomctl/internal/standin/marathon/scheduler"
)

// credentials are user:password of the REST API, empty where it is open.
func (f *flags) credentials() string {
	given := f.values["http_credentials"]
	if given == "" {
		given = os.Getenv("MESOSPHERE_HTTP_CREDENTIALS")
	}
	if !strings.Contains(given, ":") {
		return "" // the real program stays open too
	}
	return given
}

// checkAuthentication refuses what the real option parser refuses.
func (f *flags) checkAuthentication() error {
	if f.values["mesos_authentication_secret"] != "" && f.values["mesos_authentication_secret_file"] != "" {
		return &usageError{"There should be only one or zero of the following options: mesos_authentication_secret, mesos_authentication_secret_file"}
	}
	if f.switches["mesos_authentication"] && f.values["mesos_authentication_principal"] == "" {
		return &usageError{"mesos_authentication depends on mesos_authentication_principal"}
	}
	return nil
}

// login is the Mesos credential, nil without --mesos_authentication. A secret's file is taken as it is, with a line end if it has
// one, as the real program does.
func (f *flags) login() (*scheduler.Login, error) {
	if !f.switches["mesos_authentication"] {
		return nil, nil
	}
	l := &scheduler.Login{Principal: f.values["mesos_authentication_principal"], Secret: f.values["mesos_authentication_secret"]}
	if path := f.values["mesos_authentication_secret_file"]; path != "" {
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("read the Mesos secret: %w", err)
		}
		l.Secret = string(data)
	}
	return l, nil
}
