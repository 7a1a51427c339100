package jenkins

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"golang.org/x/crypto/bcrypt"
)

// Home is what a new JENKINS_HOME starts with.
type Home struct {
	// Version is the core's.
	Version string
	// User is the first account, PasswordHash what HashPassword made of its password.
	User         string
	PasswordHash string
	Cloud        Cloud
	// Casc says that the JCasC plugin is there: the cloud of line http goes into jenkins.yaml (CascFile), else into config.xml, and alone
	// into clouds.xml (CloudsFile).
	Casc bool
}

// The files of HomeFiles that do not belong into the home, but beside it, so that a changed cloud reaches a home that is there already.
const (
	CascFile   = "jenkins.yaml"
	CloudsFile = "clouds.xml"
)

// File is one file below the home. Path is relative, with slashes.
type File struct {
	Path string
	Mode fs.FileMode
	Data []byte
}

// HashPassword makes the value that a user's config.xml wants. Jenkins takes at most 72 bytes.
func HashPassword(password string) (string, error) {
	if password == "" {
		return "", errors.New("hash the password: it is empty")
	}
	hash, err := bcrypt.GenerateFromPassword([]byte(password), 10)
	if err != nil {
		return "", fmt.Errorf("hash the password: %w", err)
	}
	return "#jbcrypt:" + string(hash), nil
}

// PasswordMatches says whether a hash of HashPassword belongs to the password.
func PasswordMatches(hash, password string) bool {
	return bcrypt.CompareHashAndPassword([]byte(strings.TrimPrefix(hash, "#jbcrypt:")), []byte(password)) == nil
}

// HomeFiles are the files of a home that is secured from the first answer on: with config.xml and users/ in place
// neither the wizard nor a hook is needed, and nothing depends on JCasC.
func HomeFiles(h Home) ([]File, error) {
	if h.User == "" || strings.ContainsAny(h.User, `/\`) || strings.HasPrefix(h.User, ".") {
		return nil, fmt.Errorf("write the first files of the home: %q is no user name", h.User)
	}
	if !strings.HasPrefix(h.PasswordHash, "#jbcrypt:$2") {
		return nil, errors.New("write the first files of the home: the password is not hashed")
	}
	var clouds string
	files := []File{}
	if h.Casc && !h.Cloud.libmesos() {
		yaml, err := Casc(h.Cloud)
		if err != nil {
			return nil, fmt.Errorf("write the first files of the home: %w", err)
		}
		clouds = "  <clouds/>\n"
		files = append(files, File{CascFile, 0o644, yaml})
	} else {
		xml, err := CloudXML(h.Cloud)
		if err != nil {
			return nil, fmt.Errorf("write the first files of the home: %w", err)
		}
		clouds = string(xml)
		files = append(files, File{CloudsFile, 0o644, xml})
	}
	return append([]File{
		{"config.xml", 0o644, configXML(h, clouds)},
		// Jenkins renames the folder of a user itself when it starts.
		{"users/" + h.User + "/config.xml", 0o600, userXML(h)},
		{"jenkins.model.JenkinsLocationConfiguration.xml", 0o644, locationXML(h)},
		{"jenkins.install.UpgradeWizard.state", 0o644, []byte(h.Version)},
		{"jenkins.install.InstallUtil.lastExecVersion", 0o644, []byte(h.Version)},
	}, files...), nil
}

// configXML names nodeRenameMigrationNeeded and workspaceDir because without them a first start with jobs in the home
// keeps the label `master` and puts workspaces into the jobs' folders.
func configXML(h Home, clouds string) []byte {
	return fmt.Appendf(nil, `<?xml version='1.1' encoding='UTF-8'?>
<hudson>
  <version>%s</version>
  <numExecutors>0</numExecutors>
  <mode>NORMAL</mode>
  <useSecurity>true</useSecurity>
  <authorizationStrategy class="hudson.security.FullControlOnceLoggedInAuthorizationStrategy">
    <denyAnonymousReadAccess>true</denyAnonymousReadAccess>
  </authorizationStrategy>
  <securityRealm class="hudson.security.HudsonPrivateSecurityRealm">
    <disableSignup>true</disableSignup>
    <enableCaptcha>false</enableCaptcha>
  </securityRealm>
  <workspaceDir>${JENKINS_HOME}/workspace/${ITEM_FULL_NAME}</workspaceDir>
%s  <slaveAgentPort>%d</slaveAgentPort>
  <crumbIssuer class="hudson.security.csrf.DefaultCrumbIssuer"/>
  <nodeRenameMigrationNeeded>false</nodeRenameMigrationNeeded>
</hudson>
`, escape(h.Version), clouds, h.Cloud.AgentPort)
}

func userXML(h Home) []byte {
	return fmt.Appendf(nil, `<?xml version='1.1' encoding='UTF-8'?>
<user>
  <version>10</version>
  <id>%[1]s</id>
  <fullName>%[1]s</fullName>
  <properties>
    <hudson.security.HudsonPrivateSecurityRealm_-Details>
      <passwordHash>%[2]s</passwordHash>
    </hudson.security.HudsonPrivateSecurityRealm_-Details>
  </properties>
</user>
`, escape(h.User), escape(h.PasswordHash))
}

func locationXML(h Home) []byte {
	return fmt.Appendf(nil, `<?xml version='1.1' encoding='UTF-8'?>
<jenkins.model.JenkinsLocationConfiguration>
  <adminAddress>address not configured yet &lt;nobody@nowhere&gt;</adminAddress>
  <jenkinsUrl>%s</jenkinsUrl>
</jenkins.model.JenkinsLocationConfiguration>
`, escape(slash(h.Cloud.URL)))
}
