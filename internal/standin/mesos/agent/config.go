package agent

import (
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
)

// config is what the flags say, ready to use.
type config struct {
	flags      *flags
	workDir    string
	runtimeDir string
	listen     string // ip:port
	advertised string // ip
	port       int
	master     string
	info       mesos.AgentInfo

	executorEnv                          map[string]string
	docker                               bool
	recoveryTimeout, shutdownGrace       time.Duration
	registrationTimeout                  time.Duration
	reregistrationTimeout, registerAfter time.Duration
	fetchStall, gcDelay, sessionTimeout  time.Duration
	maxCompleted                         int
	firstRetry                           time.Duration
	login                                *login
}

func (c config) endpoint() string { return net.JoinHostPort(c.advertised, strconv.Itoa(c.port)) }

// isolators are the names the real agent knows. None of them is enforced here.
var isolators = []string{
	"posix/cpu", "posix/mem", "posix/disk", "posix/rlimits", "disk/du", "disk/xfs", "filesystem/posix", "filesystem/linux", "filesystem/shared",
	"cgroups/all", "cgroups/blkio", "cgroups/cpu", "cgroups/cpuset", "cgroups/devices", "cgroups/hugetlb", "cgroups/mem", "cgroups/net_cls",
	"cgroups/net_prio", "cgroups/perf_event", "cgroups/pids", "docker/runtime", "docker/volume", "volume/image", "volume/host_path",
	"volume/sandbox_path", "volume/secret", "volume/csi", "network/cni", "network/port_mapping", "network/ports", "namespaces/ipc",
	"namespaces/pid", "linux/capabilities", "linux/devices", "linux/nnp", "linux/seccomp", "gpu/nvidia", "environment_secret", "appc/runtime", "windows/cpu", "windows/mem",
}

func newConfig(f *flags) (config, error) {
	c := config{flags: f, master: f.get("master"), firstRetry: firstRetry}
	var err error
	if c.workDir, err = filepath.Abs(f.get("work_dir")); err != nil {
		return c, err
	}
	if c.runtimeDir, err = filepath.Abs(f.get("runtime_dir")); err != nil {
		return c, err
	}
	if err := c.refuse(); err != nil {
		return c, err
	}
	if err := c.readNumbers(); err != nil {
		return c, err
	}
	if err := c.readAddress(); err != nil {
		return c, err
	}
	if c.login, err = readCredential(f); err != nil {
		return c, err
	}
	for _, name := range strings.Split(f.get("isolation"), ",") {
		if name != "" && !slices.Contains(isolators, name) {
			return c, words("Failed to create a containerizer: Could not create MesosContainerizer: Unknown or unsupported isolator '%s'", name)
		}
	}
	if name := f.get("launcher"); name != "linux" && name != "posix" {
		return c, words("Failed to create a containerizer: Could not create MesosContainerizer: Failed to create launcher: Unknown or unsupported launcher: %s", name)
	}
	for _, name := range strings.Split(f.get("containerizers"), ",") {
		if name != "mesos" && name != "docker" {
			return c, words("Failed to create a containerizer: Unknown or unsupported containerizer: %s", name)
		}
		c.docker = c.docker || name == "docker"
	}
	if f.has("executor_environment_variables") {
		if c.executorEnv, err = parseExecutorEnvironment(f.get("executor_environment_variables")); err != nil {
			return c, err
		}
	}
	return c, nil
}

// refuse stops at flags that would change what the agent allows or does, and that the stand-in does not follow.
func (c *config) refuse() error {
	for _, name := range []string{"authenticate_http_readonly", "authenticate_http_readwrite"} {
		if c.flags.is(name) {
			return words("The stand-in leaves out authentication (--%s)", name)
		}
	}
	for _, name := range []string{
		"acls", "http_credentials", "firewall_rules", "modules", "modules_dir", "hooks", "container_logger", "default_container_info", "resource_provider_config_dir",
	} {
		if c.flags.has(name) {
			return words("The stand-in leaves out --%s", name)
		}
	}
	if c.flags.has("domain") {
		var domain mesos.DomainInfo
		if err := json.Unmarshal([]byte(c.flags.get("domain")), &domain); err != nil {
			return words("Failed to load flag 'domain': Failed to load value '%s': %w", c.flags.get("domain"), err)
		}
		c.info.Domain = &domain
	}
	return nil
}

func (c *config) readNumbers() error {
	for name, into := range map[string]*time.Duration{
		"recovery_timeout": &c.recoveryTimeout, "executor_shutdown_grace_period": &c.shutdownGrace,
		"executor_registration_timeout": &c.registrationTimeout, "executor_reregistration_timeout": &c.reregistrationTimeout,
		"registration_backoff_factor": &c.registerAfter, "fetcher_stall_timeout": &c.fetchStall, "gc_delay": &c.gcDelay,
		"zk_session_timeout": &c.sessionTimeout,
	} {
		value, err := parseDuration(c.flags.get(name))
		if err != nil {
			return words("Failed to load flag '%s': Failed to load value '%s': %w", name, c.flags.get(name), err)
		}
		*into = value
	}
	for name, into := range map[string]*int{"port": &c.port, "max_completed_executors_per_framework": &c.maxCompleted} {
		value, err := strconv.Atoi(c.flags.get(name))
		if err != nil || value < 0 || name == "port" && value > 65535 {
			return words("Failed to load flag '%s': Failed to load value '%s': Failed to convert '%s' to number", name, c.flags.get(name), c.flags.get(name))
		}
		*into = value
	}
	return nil
}

// readAddress finds where to listen, and the host's name: the flag, else a reverse lookup of the address.
func (c *config) readAddress() error {
	ip := c.flags.get("ip")
	if ip == "" {
		ip = os.Getenv("LIBPROCESS_IP")
	}
	c.listen = net.JoinHostPort(ip, c.flags.get("port"))
	c.advertised = ip
	if ip == "" || net.ParseIP(ip) != nil && net.ParseIP(ip).IsUnspecified() {
		c.advertised = hostAddress()
	} else if net.ParseIP(ip) == nil {
		return words("Failed to parse --ip=%s: not an IP address", ip)
	}
	if c.flags.has("advertise_ip") {
		c.advertised = c.flags.get("advertise_ip")
	}
	hostname := c.flags.get("hostname")
	if hostname == "" && c.flags.is("hostname_lookup") {
		if names, err := net.LookupAddr(c.advertised); err == nil && len(names) > 0 {
			hostname = strings.TrimSuffix(names[0], ".")
		}
	}
	if hostname == "" {
		hostname = c.advertised
	}
	c.info.Hostname = hostname
	return nil
}

func hostAddress() string {
	name, err := os.Hostname()
	if err == nil {
		if found, err := net.LookupHost(name); err == nil {
			for _, one := range found {
				if net.ParseIP(one).To4() != nil {
					return one
				}
			}
		}
	}
	return "127.0.0.1"
}

// describe fills in resources and attributes; work_dir must exist by now.
func (c *config) describe() error {
	resources, err := parseResources(c.flags.get("resources"), c.flags.get("default_role"), c.workDir)
	if err != nil {
		return words("Failed to determine agent resources: %w", err)
	}
	c.info.Resources = resources
	c.info.Port = p(int32(c.port))
	return nil
}
