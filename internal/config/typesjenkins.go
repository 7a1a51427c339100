package config

// Jenkins is the controller.
type Jenkins struct {
	// War is a file or URL of a real jenkins.war, or `standin`. Empty means the release's own, and on target local the stand-in.
	War string `yaml:"war"`
	// SHA256 is the checksum that the war must have; empty means the release's, which a file of the user's own may differ from.
	SHA256 string `yaml:"sha256,omitempty"`
	// Plugins is a folder of *.hpi or *.jpi files for a real war; empty means `plugins` beside the war, where there is one.
	Plugins string `yaml:"plugins,omitempty"`
	// Java is the folder of a Java installation (with bin/java) that runs the controller and the build agents; empty means
	// the newest one found on the machine that the core runs on.
	Java string `yaml:"java,omitempty"`
	// Image is the container image that the controller runs in, repo/name@sha256:... or repo/name:tag: one of `jomctl images`, or one
	// with a shell and the Java of a real war. Empty means one that is made (`images`), or a plain process.
	Image string `yaml:"image,omitempty"`
	// App is what Marathon runs.
	App App `yaml:"app"`
	// Home is where JENKINS_HOME is.
	Home Home `yaml:"home"`
	// SCM is the git repository that keeps the configuration in the home; left out, no history is kept.
	SCM *SCM `yaml:"scm,omitempty"`
	// Admin is the first account.
	Admin Admin `yaml:"admin"`
	// Cloud is how build agents come from Mesos.
	Cloud Cloud `yaml:"cloud"`
}

// App is the Marathon app of the controller.
type App struct {
	// CPUs is a number of CPUs, with fractions.
	CPUs float64 `yaml:"cpus"`
	// Mem is memory, with its unit.
	Mem Size `yaml:"mem"`
	// Grace is how long a starting controller may be unhealthy.
	Grace Duration `yaml:"grace"`
	// Constraints are Marathon constraints: [field, operator] or [field, operator, value].
	Constraints [][]string `yaml:"constraints,omitempty"`
	// HTTPPort is the controller's fixed port for browsers: 8080, or 8088 where a control host, and so Marathon, is also a Mesos agent.
	HTTPPort int `yaml:"httpPort"`
	// AgentPort is the controller's fixed port for build agents.
	AgentPort int `yaml:"agentPort"`
}

// HomeType says where the home lives.
type HomeType string

// The home types.
const (
	HomeHost   HomeType = "host"
	HomeShared HomeType = "shared"
)

// Home is JENKINS_HOME.
type Home struct {
	// Type is host (on the disk of one host) or shared (one path on every Mesos agent host, for example NFS).
	Type HomeType `yaml:"type"`
	// Path is absolute. Empty on target local means a folder on the disk of the first Mesos agent.
	Path string `yaml:"path,omitempty"`
	// MasterKey is the key that Jenkins encrypts its secrets with, kept outside of the home, so that neither the home nor a backup of it
	// opens by itself; a missing `file:` is generated. It needs Jenkins 2.504 or later. Empty means `secrets/master.key` in the home.
	MasterKey Secret `yaml:"masterKey,omitempty"`
}

// SCM is the git repository that keeps the home's configuration.
type SCM struct {
	// Repository is a git repository that can be pushed to: git@HOST:PATH, ssh://, https:// or a path.
	Repository string `yaml:"repository"`
	// Branch is the branch that is pushed to.
	Branch string `yaml:"branch"`
	// Key is the private SSH key, or the token for https: file:PATH, or on hosts of their own env:NAME with its text.
	Key Secret `yaml:"key,omitempty"`
	// Debounce is how long the home must be quiet before a change is committed.
	Debounce Duration `yaml:"debounce"`
	// MaxDelay is how long a commit is put off at most.
	MaxDelay Duration `yaml:"maxDelay"`
}

// Admin is the first account.
type Admin struct {
	// User is the name of the account.
	User string `yaml:"user"`
	// Password is where the password is; a missing `file:` is generated at install with mode 0600.
	Password Secret `yaml:"password"`
}

// CloudLine is a line of the Mesos plugin.
type CloudLine string

// The plugin lines.
const (
	LineHTTP     CloudLine = "http"
	LineLibmesos CloudLine = "libmesos"
)

// Cloud is the Mesos cloud of the controller.
type Cloud struct {
	// Line is http (Mesos plugin 2.x) or libmesos (0.18 and 1.0, for old cores only).
	Line CloudLine `yaml:"line"`
	// Templates are the kinds of build agents.
	Templates []Template `yaml:"templates"`
}

// DockerAccess says how builds reach a Docker Engine.
type DockerAccess string

// The kinds of Docker access.
const (
	DockerNone   DockerAccess = "none"
	DockerSocket DockerAccess = "socket"
	DockerDind   DockerAccess = "dind"
)

// Template is one kind of build agent. What a line of the plugin cannot express is refused: LineFeatures.
type Template struct {
	// Label is the label that builds ask for.
	Label string `yaml:"label"`
	// CPUs is a number of CPUs, with fractions.
	CPUs float64 `yaml:"cpus"`
	// Mem is memory, with its unit; 32MiB for the JVM of the build agent come on top.
	Mem Size `yaml:"mem"`
	// Idle is how long an agent without work is kept. The real plugin knows whole minutes and gets it rounded up.
	Idle Duration `yaml:"idle"`
	// Docker is the Docker Engine that builds have: none, socket (that of the host, which makes every build root on the host) or dind (one
	// of its own in a privileged container). Both need a container.
	Docker DockerAccess `yaml:"docker"`
	// Image is the build agent's image; empty means one that is made (`images`), or a plain process.
	Image string `yaml:"image,omitempty"`
	// Attributes are attributes that a Mesos agent must have to run it, each with exactly this value.
	Attributes map[string]string `yaml:"attributes,omitempty"`
	// Executors is how many builds one build agent takes at once, 1 if left out; cpus and mem are for all of them together. Only line
	// libmesos knows more than 1.
	Executors int `yaml:"executors,omitempty"`
	// JVMArgs are options of the build agent's JVM, without -Xmx. Only line libmesos knows them.
	JVMArgs string `yaml:"jvmArgs,omitempty"`
	// DockerOptions are long options of docker run without their dashes. Only line libmesos knows them.
	DockerOptions map[string]string `yaml:"dockerOptions,omitempty"`
}
