package marathon

import (
	"fmt"
	"os"
	"os/user"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/jomctl/jomctl/internal/standin/marathon/core"
	"github.com/jomctl/jomctl/internal/standin/marathon/spec"
	"github.com/jomctl/jomctl/internal/standin/marathon/zkstate"
)

// Flags that take a value, with the real program's defaults (empty: not set).
func valueFlags() map[string]string {
	return map[string]string{
		"master": "", "zk": "zk://localhost:2181/marathon", "hostname": "", "http_address": "", "http_port": "8080", "https_address": "", "https_port": "8443",
		"framework_name": "marathon", "failover_timeout": "604800", "mesos_role": "*", "mesos_user": "", "min_revive_offers_interval": "5000",
		"zk_session_timeout": "10000", "zk_connection_timeout": "10000", "zk_timeout": "10000", "zk_max_versions": "50", "http_credentials": "", "http_realm": "",
		"task_launch_timeout": "300000", "task_launch_confirm_timeout": "300000", "task_reservation_timeout": "20000", "reconciliation_initial_delay": "15000",
		"reconciliation_interval": "600000", "scale_apps_initial_delay": "15000", "scale_apps_interval": "300000", "kill_retry_timeout": "30000",
		"max_instances_per_offer": "5", "launch_tokens": "100", "launch_token_refresh_interval": "30000", "offer_matching_timeout": "3000",
		"decline_offer_duration": "120000", "local_port_min": "10000", "local_port_max": "20000", "max_running_deployments": "100", "graceful_shutdown_timeout": "45000",
		"storage_compaction_interval": "30", "storage_compaction_scan_batch_size": "32", "on_elected_prepare_timeout": "180000", "enable_features": "",
		"deprecated_features": "", "default_network_name": "", "mesos_bridge_name": "mesos-bridge", "mesos_leader_ui_url": "", "webui_url": "", "max_apps": "0",
		"access_control_allow_origin": "", "backup_location": "", "draining_seconds": "0", "env_vars_prefix": "", "logging_level": "", "executor": "//cmd",
		"task_lost_expunge_initial_delay": "300000", "task_lost_expunge_interval": "30000", "event_stream_max_outstanding_messages": "1024",
		"leader_proxy_connection_timeout": "5000", "leader_proxy_read_timeout": "10000", "leader_proxy_max_open_connections": "64",
		"mesos_authentication_principal": "", "mesos_authentication_secret": "", "mesos_authentication_secret_file": "", "max_concurrent_marathon_health_checks": "256",
		"new_group_enforce_role": "off", "accepted_resource_roles_default_behavior": "any", "default_accepted_resource_roles": "", "gpu_scheduling_behavior": "restricted",
		"group_versions_cache_size": "1000", "http_max_concurrent_requests": "", "plugin_dir": "", "plugin_conf": "", "ssl_keystore_path": "", "ssl_keystore_password": "",
		"zk_compression_threshold": "65536", "zk_max_node_size": "1024000", "mesos_heartbeat_interval": "15000", "mesos_heartbeat_failure_threshold": "5",
		"min_mesos_offer_constraints_update_interval": "", "logstash": "", "sentry": "", "sentry_tags": "",
	}
}

// Flags without a value; each has a --disable_ form that sets it to false.
func switchFlags() map[string]bool {
	return map[string]bool{"checkpoint": true, "ha": true, "http": true, "http_compression": true, "maintenance_mode": true, "mesos_authentication": false,
		"mesos_offer_constraints": false, "metrics": false, "metrics_datadog": false, "metrics_prometheus": false, "metrics_statsd": false, "store_cache": true,
		"suppress_offers": true, "zk_compression": true, "leader_proxy_ssl_ignore_hostname": false}
}

// What the stand-in would have to do, and does not: a start with it is refused, never pretended.
func leftOut() []string {
	return []string{"ssl_keystore_path", "plugin_dir", "plugin_conf", "backup_location"}
}

type flags struct {
	values   map[string]string
	switches map[string]bool
	features []string
}

func (f *flags) ms(name string) time.Duration {
	return time.Duration(f.number(name)) * time.Millisecond
}

func (f *flags) number(name string) int {
	n, _ := strconv.Atoi(f.values[name])
	return n
}

// usageError is a mistake in the flags; it is printed as the real program's option parser does.
type usageError struct{ text string }

func (e *usageError) Error() string { return "[scallop] Error: " + e.text }

// environment turns MARATHON_FLAG=value into flags. Every other MARATHON_ variable becomes an unknown flag, as in the real program.
func environment(environ []string) []string {
	var out []string
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		flag, ok := strings.CutPrefix(name, "MARATHON_")
		if !ok || strings.HasPrefix(flag, "APP_") {
			continue
		}
		out = append(out, "--"+strings.ToLower(flag))
		if value != "" {
			out[len(out)-1] += "=" + value
		}
	}
	sort.Strings(out)
	return out
}

func parseFlags(args, environ []string) (*flags, error) {
	f := &flags{values: valueFlags(), switches: switchFlags()}
	given := map[string][]string{}
	all := append(environment(environ), args...)
	for n := 0; n < len(all); n++ {
		arg := all[n]
		name, value, inline := strings.Cut(strings.TrimPrefix(arg, "--"), "=")
		if strings.HasPrefix(arg, "-J") || strings.HasPrefix(arg, "-D") {
			continue // options of the JVM, which the real program's launcher takes out
		}
		if !strings.HasPrefix(arg, "--") {
			return nil, &usageError{fmt.Sprintf("Excess arguments provided: '%s'", arg)}
		}
		if _, ok := f.switches[strings.TrimPrefix(name, "disable_")]; ok {
			f.switches[strings.TrimPrefix(name, "disable_")] = !strings.HasPrefix(name, "disable_")
			continue
		}
		if _, ok := f.values[name]; !ok {
			return nil, &usageError{fmt.Sprintf("Unknown option '%s'", name)}
		}
		if !inline {
			if n+1 >= len(all) || strings.HasPrefix(all[n+1], "--") {
				return nil, &usageError{fmt.Sprintf("Bad arguments for option '%s': '' - you should provide exactly one argument for this option", name)}
			}
			n++
			value = all[n]
		}
		given[name] = append(given[name], value)
		f.values[name] = value
	}
	for name, values := range given {
		if len(values) > 1 {
			return nil, &usageError{fmt.Sprintf("Bad arguments for option '%s': '%s' - you should provide exactly one argument for this option", name, strings.Join(values, " "))}
		}
	}
	return f, f.check()
}

func (f *flags) check() error {
	for name, standard := range valueFlags() {
		if _, err := strconv.Atoi(standard); err != nil {
			continue
		}
		if _, err := strconv.Atoi(f.values[name]); err != nil {
			return &usageError{fmt.Sprintf("Bad arguments for option '%s': '%s' - bad Int value", name, f.values[name])}
		}
	}
	if f.values["master"] == "" {
		return &usageError{"Required option 'master' not found"}
	}
	if _, err := zkstate.ParseURL(f.values["zk"]); err != nil {
		return &usageError{fmt.Sprintf("Bad arguments for option 'zk': '%s' - %v", f.values["zk"], err)}
	}
	if strings.HasPrefix(f.values["master"], "zk://") {
		if _, err := zkstate.ParseURL(f.values["master"]); err != nil {
			return &usageError{fmt.Sprintf("Bad arguments for option 'master': '%s' - %v", f.values["master"], err)}
		}
	}
	for _, name := range leftOut() {
		if f.values[name] != "" {
			return &usageError{fmt.Sprintf("the stand-in for Marathon does not do '%s'", name)}
		}
	}
	if err := f.checkAuthentication(); err != nil {
		return err
	}
	if f.values["hostname"] == "" {
		f.values["hostname"], _ = os.Hostname()
	}
	if f.values["mesos_user"] == "" {
		if u, err := user.Current(); err == nil {
			f.values["mesos_user"] = u.Username
		}
	}
	if text := f.values["enable_features"]; text != "" {
		f.features = strings.Split(text, ",")
	}
	return nil
}

func (f *flags) unknownFeature() string {
	for _, feature := range f.features {
		switch strings.TrimSpace(feature) {
		case "secrets", "external_volumes", "vips", "gpu_resources", "task_killing":
		default:
			return feature
		}
	}
	return ""
}

func (f *flags) coreConfig() core.Config {
	features := map[string]bool{}
	for _, feature := range f.features {
		features[strings.TrimSpace(feature)] = true
	}
	return core.Config{
		Options:   spec.Options{Role: f.values["mesos_role"], DefaultNetwork: f.values["default_network_name"], Features: features},
		EnvPrefix: f.values["env_vars_prefix"], LocalPortMin: f.number("local_port_min"), LocalPortMax: f.number("local_port_max"),
		MaxInstancesPerOffer: f.number("max_instances_per_offer"), LaunchTokens: f.number("launch_tokens"), MaxVersions: f.number("zk_max_versions"),
		MaxApps: f.number("max_apps"), MaxRunningDeployments: f.number("max_running_deployments"), MinRevive: f.ms("min_revive_offers_interval"),
		Decline: f.ms("decline_offer_duration"), ReconcileDelay: f.ms("reconciliation_initial_delay"), ReconcileInterval: f.ms("reconciliation_interval"),
		LaunchTimeout: f.ms("task_launch_timeout"), ConfirmTimeout: f.ms("task_launch_confirm_timeout"), KillRetry: f.ms("kill_retry_timeout"),
		ExpungeDelay: f.ms("task_lost_expunge_initial_delay"), ExpungeInterval: f.ms("task_lost_expunge_interval"), Suppress: f.switches["suppress_offers"],
	}
}
