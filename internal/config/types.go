// Package config is cluster.yaml: its types, loading, defaults, validation, writing and JSON Schema. It does no input or output
// besides that file and the secrets it names, and imports no other package of the project.
package config

// APIVersion is the only value of `apiVersion` that this program reads.
const APIVersion = "jomctl/v1"

// Target says what the machines are.
type Target string

// The targets.
const (
	TargetLocal     Target = "local"
	TargetHosts     Target = "hosts"
	TargetDocker    Target = "docker"
	TargetAWS       Target = "aws"
	TargetOpenStack Target = "openstack"
)

// Role is what a host does. A control host runs ZooKeeper, a Mesos master, Marathon, the edge and the registry.
type Role string

// The roles.
const (
	RoleControl    Role = "control"
	RoleMesosAgent Role = "mesos-agent"
)

// Cluster is one cluster.yaml.
type Cluster struct {
	// APIVersion is always "jomctl/v1".
	APIVersion string `yaml:"apiVersion"`
	// Name is a DNS label; it prefixes the framework and the app.
	Name string `yaml:"name"`
	// Target says where the machines come from.
	Target Target `yaml:"target"`
	// Local shapes the loopback hosts of target local.
	Local *Local `yaml:"local,omitempty"`
	// Hosts are the machines of target hosts. On the other targets they may be left out, as local and machines say how many,
	// and on docker, aws and openstack they have no address, as Terraform gives it.
	Hosts []Host `yaml:"hosts,omitempty"`
	// HostsFrom takes the hosts of target hosts from an output of your own Terraform, instead of `hosts`.
	HostsFrom *HostsFrom `yaml:"hostsFrom,omitempty"`
	// Machines shapes the machines that Terraform makes on the targets docker, aws and openstack.
	Machines *Machines `yaml:"machines,omitempty"`
	// SSH says how the hosts of every target but local are reached.
	SSH *SSH `yaml:"ssh,omitempty"`
	// Components says where the software comes from.
	Components Components `yaml:"components"`
	// Release is a folder under bundles/, or a path to one of the user's own.
	Release string `yaml:"release"`
	// Registry is the image registry.
	Registry *Registry `yaml:"registry,omitempty"`
	// Images, where it is there, lets an install make the images of the controller and of the build agents that name none of their own,
	// with the Docker Engine of the machine that jomctl runs on; {} takes the defaults. Left out, they are plain processes, unless a
	// template has docker access.
	Images *Images `yaml:"images,omitempty"`
	// Jenkins is the controller, its home and its cloud.
	Jenkins Jenkins `yaml:"jenkins"`
	// Backup says where backups go.
	Backup *Backup `yaml:"backup,omitempty"`
	// Maintenance says when changes are allowed.
	Maintenance *Maintenance `yaml:"maintenance,omitempty"`
	// Drill is what failover drills are measured by, and what they need.
	Drill *Drill `yaml:"drill,omitempty"`
	// Tuning are the times in which faults are noticed and mended.
	Tuning *Tuning `yaml:"tuning,omitempty"`
	// Watch is when and whom `jomctl watch` tells.
	Watch *Watch `yaml:"watch,omitempty"`

	// File is the path of the file this was read from; relative paths in it are taken from its folder.
	File string `yaml:"-"`
}

// Local shapes target local: every host is a loopback address and a folder.
type Local struct {
	// Address is the network of the hosts, 127.x.y.0: control hosts get .10, .11, .12, Mesos agents .21, .22, ...
	Address string `yaml:"address"`
	// Control is the number of control hosts: 1, 3 or 5.
	Control int `yaml:"control"`
	// Agents is the number of Mesos agents, 1 to 200.
	Agents int `yaml:"agents"`
	// Resources is what each Mesos agent offers. Left out, the memory is such that the controller and five build agents fit all
	// Mesos agents together, and not one alone.
	Resources Resources `yaml:"resources"`
}

// Resources is an amount of CPU, memory and disk.
type Resources struct {
	// CPUs is a number of CPUs, with fractions.
	CPUs float64 `yaml:"cpus"`
	// Mem is memory, with its unit.
	Mem Size `yaml:"mem"`
	// Disk is disk space, with its unit.
	Disk Size `yaml:"disk"`
}

// Host is one machine.
type Host struct {
	// Name is a DNS label, once in the cluster.
	Name string `yaml:"name"`
	// Address is an IP address or a DNS name, once in the cluster.
	Address string `yaml:"address,omitempty"`
	// Roles says what runs on the host: control, mesos-agent or both.
	Roles []Role `yaml:"roles"`
	// Attributes are attributes of the Mesos agent, for constraints.
	Attributes map[string]string `yaml:"attributes,omitempty"`
	// Reserve is kept back from what the Mesos agent offers.
	Reserve *Reserve `yaml:"reserve,omitempty"`
}

// Reserve is what a host keeps for itself.
type Reserve struct {
	// CPUs is a number of CPUs, with fractions.
	CPUs float64 `yaml:"cpus,omitempty"`
	// Mem is memory, with its unit.
	Mem Size `yaml:"mem,omitempty"`
}

// HostsFrom is where hosts are read from at each install. Later commands go by what was read then.
type HostsFrom struct {
	// Terraform is the folder of your Terraform, which is initialised and applied.
	Terraform string `yaml:"terraform"`
	// Output is the name of an output: a list of objects with name, address and roles; attributes, user, port (default 22) and
	// ssh_address may be left out.
	Output string `yaml:"output"`
	// Program is the path of terraform; empty means the one on PATH.
	Program string `yaml:"program,omitempty"`
}

// Machines shapes the machines that Terraform makes: the inputs of its modules. What is left out is the module's default.
type Machines struct {
	// Control is the number of control hosts: 1, 3 or 5.
	Control int `yaml:"control"`
	// Agents is the number of Mesos agents, 1 to 200.
	Agents int `yaml:"agents"`
	// Image is what they boot: on docker an image with systemd and sshd, on aws an AMI, on openstack the name of an image.
	Image string `yaml:"image,omitempty"`
	// Flavor is their size: on docker CPUSxMEMORY such as 2x4g, on aws an instance type, on openstack a flavor.
	Flavor string `yaml:"flavor,omitempty"`
	// Disk is the size of the root disk, with its unit; it has no effect on docker.
	Disk Size `yaml:"disk,omitempty"`
	// Region is the region of the cloud.
	Region string `yaml:"region,omitempty"`
	// Network is the private network of the hosts, an IPv4 network from /16 to /24.
	Network string `yaml:"network,omitempty"`
	// Admin are the networks that may reach SSH, the edge and the registry from outside.
	Admin []string `yaml:"admin,omitempty"`
	// Options are what one target alone knows: docker apt_cache; aws zones; openstack external_network.
	Options map[string]string `yaml:"options,omitempty"`
	// Terraform is the path of the program; empty means the one on PATH.
	Terraform string `yaml:"terraform,omitempty"`
	// Backend keeps Terraform's state elsewhere than in the state folder.
	Backend *TerraformBackend `yaml:"backend,omitempty"`
}

// TerraformBackend is a backend of Terraform's state.
type TerraformBackend struct {
	// Type is the kind of backend: s3, http, pg, consul, ...
	Type string `yaml:"type"`
	// ConfigFile is a file of `key = "value"` lines for it, as `terraform init -backend-config` takes it.
	ConfigFile string `yaml:"configFile,omitempty"`
}

// SSH says how hosts are reached.
type SSH struct {
	// User is the account to log in with: root, or one that may use sudo without a password. Left out on docker, aws and
	// openstack, it is the image's own.
	User string `yaml:"user"`
	// Port is the port of the SSH server.
	Port int `yaml:"port"`
	// IdentityFile is the private key; empty means the SSH agent and the usual files, and on docker, aws and openstack a key that
	// is generated in .jomctl/ssh.
	IdentityFile string `yaml:"identityFile,omitempty"`
	// KnownHosts is the file of the pinned host keys.
	KnownHosts string `yaml:"knownHosts,omitempty"`
	// Jump is a host to go through, [USER@]HOST[:PORT]; its key is pinned as those of the hosts are.
	Jump string `yaml:"jump,omitempty"`
}

// Components are the programs under Jenkins.
type Components struct {
	// ZooKeeper keeps the elections and the state of Mesos and Marathon.
	ZooKeeper Component `yaml:"zookeeper"`
	// Mesos is the masters and the agents.
	Mesos MesosComponent `yaml:"mesos"`
	// Marathon keeps the controller running.
	Marathon MarathonComponent `yaml:"marathon"`
}

// Component is one program.
type Component struct {
	// Source says where the program comes from.
	Source Source `yaml:"source"`
}

// MesosComponent is the masters and the agents.
type MesosComponent struct {
	// Source says where the program comes from.
	Source Source `yaml:"source"`
	// Authentication makes the masters refuse every Mesos agent, and every framework that comes through libmesos as Marathon does,
	// without a credential; those of this cluster are generated. Frameworks that speak HTTP still need none, because the Mesos plugin
	// of Jenkins, which is one, cannot show one: docs/security.md says what that leaves open.
	Authentication bool `yaml:"authentication,omitempty"`
}

// MarathonComponent keeps the controller running.
type MarathonComponent struct {
	// Source says where the program comes from.
	Source Source `yaml:"source"`
	// BasicAuth makes Marathon ask for a user and a password on every path; {} takes the defaults. Left out, it asks nobody.
	BasicAuth *BasicAuth `yaml:"basicAuth,omitempty"`
}

// BasicAuth is the one account of Marathon.
type BasicAuth struct {
	// User is its name: ASCII without a colon.
	User string `yaml:"user"`
	// Password is where the password is, ASCII without a colon; a missing `file:` is generated at install with mode 0600.
	Password Secret `yaml:"password"`
}

// Source says where a program comes from: the word `standin`, or a mapping with exactly one of apt, deb, yum, rpm, archive,
// image, path and catalog.
type Source struct {
	Standin bool `yaml:"-"`
	// Apt is the name of a package, with its version where wanted (name=version).
	Apt string `yaml:"apt,omitempty"`
	// Repository is a line of sources.list that the apt package comes from, or the base URL of the yum package's repository, in
	// which $releasever and $basearch stand for those of the host.
	Repository string `yaml:"repository,omitempty"`
	// Yum is the name of an RPM package in a repository, with its version where wanted (name=version-release).
	Yum string `yaml:"yum,omitempty"`
	// GPGKey is the file or URL of the key that signs the yum repository or its packages.
	GPGKey string `yaml:"gpgkey,omitempty"`
	// Deb is the file or URL of a Debian package.
	Deb string `yaml:"deb,omitempty"`
	// RPM is the file or URL of an RPM package.
	RPM string `yaml:"rpm,omitempty"`
	// Archive is the file or URL of a tar or zip archive.
	Archive string `yaml:"archive,omitempty"`
	// SHA256 is the checksum of deb, rpm or archive, and is required for a URL.
	SHA256 string `yaml:"sha256,omitempty"`
	// Image is a container image, repo/name@sha256:... or repo/name:tag.
	Image string `yaml:"image,omitempty"`
	// Path is a folder with the programs (for Mesos and Marathon, an unpacked or built tree).
	Path string `yaml:"path,omitempty"`
	// Catalog is an entry of `jomctl sources list`.
	Catalog string `yaml:"catalog,omitempty"`
}

// Registry is where images are pushed to.
type Registry struct {
	// Address is HOST:PORT. Left out, it is port 5000 of the first control host.
	Address string `yaml:"address"`
	// User is the account for a registry of your own that asks for one. It must speak HTTPS with a certificate that all machines trust.
	User string `yaml:"user,omitempty"`
	// Password is where the password is: env:NAME or file:PATH.
	Password Secret `yaml:"password,omitempty"`
}

// Images is what images are made of.
type Images struct {
	// Base is the base image: a Debian or Ubuntu that has the Java, best with its digest.
	Base string `yaml:"base"`
	// Java is the Debian package of the Java; empty means openjdk-N-jre-headless, N the first Java of the release.
	Java string `yaml:"java,omitempty"`
	// Packages are further Debian packages for both images.
	Packages []string `yaml:"packages,omitempty"`
	// UserID is the number of the user that the controller runs as, and of its group; the base image must have neither yet.
	UserID int `yaml:"userID"`
}

// Secret is a reference to a secret, `env:NAME` or `file:PATH`, never the secret itself.
type Secret string

// Backup is the repository of backups.
type Backup struct {
	// Repository is where backups go: a path (on hosts of their own one of the host that has the home), sftp:USER@HOST:PATH, or another of
	// restic's, as s3:https://HOST/BUCKET.
	Repository string `yaml:"repository"`
	// Password is where the password of the backups is; a missing `file:` is generated.
	Password Secret `yaml:"password"`
	// Key is a private SSH key for an sftp: repository; on target local empty means the user's own way in.
	Key Secret `yaml:"key,omitempty"`
	// Environment is a file of lines NAME=VALUE with what the repository asks for, as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY of s3:.
	Environment Secret `yaml:"environment,omitempty"`
	// Schedule is when hosts of their own back the home up by themselves, in their time: HH:MM, `sat HH:MM`, hourly or off.
	Schedule string `yaml:"schedule,omitempty"`
	// Keep says how many backups stay.
	Keep Keep `yaml:"keep"`
}

// Keep says how many backups stay.
type Keep struct {
	// Last is how many of the latest stay.
	Last int `yaml:"last"`
	// Weekly is for how many weeks one of each stays.
	Weekly int `yaml:"weekly"`
}

// Maintenance is when changes are allowed.
type Maintenance struct {
	// Windows are the times; changes outside of them are refused.
	Windows []Window `yaml:"windows"`
	// Reserve is the time at the end of a window that is kept for a rollback.
	Reserve Duration `yaml:"reserve"`
}

// Window is a recurring time in which changes are allowed.
type Window struct {
	// Name is for messages.
	Name string `yaml:"name,omitempty"`
	// Days are the days on which it opens: mon, tue, wed, thu, fri, sat, sun.
	Days []string `yaml:"days"`
	// Start is HH:MM in the zone.
	Start string `yaml:"start"`
	// Length is how long it stays open, at most 7d.
	Length Duration `yaml:"length"`
	// Zone is an IANA time zone.
	Zone string `yaml:"zone"`
}
