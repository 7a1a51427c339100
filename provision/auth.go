package provision

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"path/filepath"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/host"
)

// What programs show each other lies in files of mode 0600 and in the environment of a unit, which is one too: arguments can be
// read by everybody on a host.

// secretFile is a file that only the program's own user may read.
func secretFile(path string, data []byte) File { return File{Path: path, Data: data, Mode: 0o600} }

func jsonFile(path string, value any) File {
	data, err := json.Marshal(value)
	if err != nil { // texts alone always marshal
		panic(err)
	}
	return secretFile(path, append(data, '\n'))
}

// authenticateMaster makes a master ask agents and frameworks of libmesos for their credentials. HTTP frameworks it cannot ask: the
// Mesos plugin of Jenkins has none but those of DC/OS.
func (f *Fleet) authenticateMaster(s *Service) {
	path := s.Dirs[0] + "/credentials.json"
	if !f.config.Components.Mesos.Authentication {
		s.Gone = []string{path}
		return
	}
	agent, marathon, err := f.config.MesosCredentials()
	s.fault = err
	file := jsonFile(path, map[string]any{"credentials": []config.Credential{agent, marathon}})
	s.Files = append(s.Files, file)
	s.Unit.Argv = append(s.Unit.Argv, "--authenticate_agents", "--authenticate_frameworks", "--credentials="+file.Path)
}

// authenticateAgent gives a Mesos agent its credential.
func (f *Fleet) authenticateAgent(s *Service) {
	path := s.Dirs[0] + "/credential.json"
	if !f.config.Components.Mesos.Authentication {
		s.Gone = []string{path}
		return
	}
	agent, _, err := f.config.MesosCredentials()
	s.fault = err
	file := jsonFile(path, agent)
	s.Files = append(s.Files, file)
	s.Unit.Argv = append(s.Unit.Argv, "--credential="+file.Path)
}

// The variables that Marathon takes secrets from. It makes a flag of each that begins with MARATHON_, inside its own process.
const (
	marathonLogin  = "MESOSPHERE_HTTP_CREDENTIALS"
	marathonSecret = "MARATHON_MESOS_AUTHENTICATION_SECRET"
)

// marathonAuth is what a Marathon shows Mesos and asks its own clients for.
type marathonAuth struct {
	env   map[string]string
	args  []string
	files []File
	gone  []string
	fault error
}

// marathonAuth also sets the principal where nobody asks for it, as Mesos never lets a framework that it knows take another one.
func (f *Fleet) marathonAuth(m host.Machine) marathonAuth {
	path := host.Path(m, RoleMarathon, "mesos-secret")
	a := marathonAuth{env: map[string]string{}, args: []string{"--mesos_authentication_principal", config.MarathonPrincipal}}
	user, password, err := f.config.MarathonLogin()
	a.fault = err
	if user != "" {
		a.env[marathonLogin] = user + ":" + password
		a.args = append(a.args, "--http_realm", "marathon-"+f.config.Name)
	}
	if !f.config.Components.Mesos.Authentication {
		a.gone = []string{path}
		return a
	}
	_, credential, err := f.config.MesosCredentials()
	if err != nil {
		a.fault = err
	}
	a.args = append(a.args, "--mesos_authentication")
	if f.programs.Marathon.Image != "" { // whose user is not the one that owns files here
		a.env[marathonSecret] = credential.Secret
		a.gone = []string{path}
		return a
	}
	file := secretFile(path, []byte(credential.Secret)) // without a line end, which would be a part of it
	a.files = append(a.files, file)
	a.args = append(a.args, "--mesos_authentication_secret_file", file.Path)
	return a
}

// logback is for the real Marathon, which writes all its settings (before 1.10 its arguments, too) into its log at every start, and
// secrets among them. This is the configuration that it comes with, but that their values are taken out.
func (a *marathonAuth) logback(m host.Machine) (File, bool) {
	if len(a.env) == 0 {
		return File{}, false
	}
	file := text(host.Path(m, RoleMarathon, "logback.xml"),
		"<configuration>",
		`  <shutdownHook class="ch.qos.logback.core.hook.DelayingShutdownHook"/>`,
		`  <appender name="stdout" class="ch.qos.logback.core.ConsoleAppender">`,
		`    <encoder><pattern>[%date] %-5level %replace(%message){'(http_credentials|mesos_authentication_secret)( \(\*\) =| =|) .*', '$1$2 \[not shown\]'} \(%logger:%thread\)%n</pattern></encoder>`,
		`  </appender>`,
		`  <appender name="async" class="ch.qos.logback.classic.AsyncAppender">`,
		`    <appender-ref ref="stdout"/>`,
		`    <queueSize>1024</queueSize>`,
		`  </appender>`,
		`  <root level="INFO"><appender-ref ref="async"/></root>`,
		"</configuration>")
	return file, true
}

// logbackOption is the option of a JVM; its start script cuts options at blanks, so the path is a URL.
func logbackOption(path string) string {
	return "-Dlogback.configurationFile=" + (&url.URL{Scheme: "file", Path: path}).String()
}

// marathonCheck is what the edge shows Marathon when it checks who leads: a Marathon with a password asks for it on every path.
func (f *Fleet) marathonCheck() (header string, fault error) {
	user, password, err := f.config.MarathonLogin()
	if err != nil || user == "" {
		return "", err
	}
	return fmt.Sprintf(` hdr Authorization "Basic %s"`, base64.StdEncoding.EncodeToString([]byte(user+":"+password))), nil
}

// crammd5 says whether a system has the module of SASL that Mesos authenticates with.
func crammd5(root string) bool {
	for _, pattern := range []string{"usr/lib/*/sasl2/libcrammd5.so*", "usr/lib/sasl2/libcrammd5.so*", "usr/lib64/sasl2/libcrammd5.so*"} {
		if found, err := filepath.Glob(filepath.Join(root, pattern)); err == nil && len(found) > 0 {
			return true
		}
	}
	return false
}
