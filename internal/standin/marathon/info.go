package marathon

import (
	"strings"

	"github.com/jomctl/jomctl/internal/standin/edition"
)

func orNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}

// info is the document of /v2/info; buildref tells a stand-in from the real program.
func (l *leadership) info() map[string]any {
	f := l.flags
	features := []string{}
	features = append(features, f.features...)
	master := f.values["master"]
	ui := f.values["mesos_leader_ui_url"]
	if ui == "" && !strings.HasPrefix(master, "zk://") {
		ui = "http://" + strings.TrimPrefix(strings.TrimSuffix(master, "/"), "http://") + "/"
	}
	config := map[string]any{"access_control_allow_origin": orNull(f.values["access_control_allow_origin"]), "checkpoint": f.switches["checkpoint"],
		"default_network_name": orNull(f.values["default_network_name"]), "env_vars_prefix": orNull(f.values["env_vars_prefix"]), "executor": f.values["executor"],
		"features": features, "framework_name": f.values["framework_name"], "ha": f.switches["ha"], "hostname": f.values["hostname"],
		"launch_token": f.number("launch_tokens"), "leader_proxy_connection_timeout_ms": f.number("leader_proxy_connection_timeout"),
		"leader_proxy_read_timeout_ms": f.number("leader_proxy_read_timeout"), "master": master, "mesos_bridge_name": f.values["mesos_bridge_name"],
		"mesos_leader_ui_url": orNull(ui), "mesos_role": f.values["mesos_role"], "mesos_user": f.values["mesos_user"], "new_group_enforce_role": "Off",
		"store_cache": f.switches["store_cache"], "webui_url": orNull(f.values["webui_url"]), "maintenance_mode": f.switches["maintenance_mode"]}
	for _, name := range []string{"decline_offer_duration", "failover_timeout", "launch_token_refresh_interval", "local_port_max", "local_port_min", "max_instances_per_offer",
		"mesos_heartbeat_failure_threshold", "mesos_heartbeat_interval", "min_revive_offers_interval", "offer_matching_timeout", "on_elected_prepare_timeout",
		"reconciliation_initial_delay", "reconciliation_interval", "scale_apps_initial_delay", "scale_apps_interval", "task_launch_confirm_timeout", "task_launch_timeout",
		"task_lost_expunge_initial_delay", "task_lost_expunge_interval", "task_reservation_timeout"} {
		config[name] = f.number(name)
	}
	return map[string]any{"name": f.values["framework_name"], "version": edition.Version("1.11.26"), "buildref": "stand-in", "elected": true, "leader": l.process.id,
		"frameworkId": orNull(*l.id.Load()), "marathon_config": config,
		"zookeeper_config": map[string]any{"zk": f.values["zk"], "zk_compression": f.switches["zk_compression"], "zk_compression_threshold": f.number("zk_compression_threshold"),
			"zk_connection_timeout": f.number("zk_connection_timeout"), "zk_max_node_size": f.number("zk_max_node_size"), "zk_max_versions": f.number("zk_max_versions"),
			"zk_session_timeout": f.number("zk_session_timeout"), "zk_timeout": f.number("zk_timeout")},
		"http_config": map[string]any{"http_port": f.number("http_port"), "https_port": f.number("https_port")}}
}
