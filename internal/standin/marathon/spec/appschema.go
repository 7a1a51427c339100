package spec

import (
	"encoding/json"
	"regexp"
)

func num(v float64) *float64 { return &v }

func text() *node                 { return &node{kind: "string"} }
func word(values ...string) *node { return &node{kind: "string", enum: values} }
func number() *node               { return &node{kind: "number", min: num(0)} }
func integer() *node              { return &node{kind: "int", min: num(0)} }
func between(kind string, lo, hi float64) *node {
	return &node{kind: kind, min: num(lo), max: num(hi)}
}
func list(items *node) *node  { return &node{kind: "array", items: items} }
func mapOf(items *node) *node { return &node{kind: "map", items: items} }
func boolean() *node          { return &node{kind: "bool"} }
func object(required []string, fields map[string]*node) *node {
	return &node{kind: "object", required: required, fields: fields}
}

func idPattern() *regexp.Regexp {
	return regexp.MustCompile(`^(/?(([a-z0-9]|[a-z0-9][a-z0-9-]*[a-z0-9])\.)*([a-z0-9]|[a-z0-9][a-z0-9-]*[a-z0-9])|\.|\.\.|/)?(/+((([a-z0-9]|[a-z0-9][a-z0-9-]*[a-z0-9])\.)*([a-z0-9]|[a-z0-9][a-z0-9-]*[a-z0-9])|\.|\.\.))*/*$`)
}

func portName() *node {
	return &node{kind: "string", pattern: regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`)}
}

func unreachableNode() *node {
	return object(nil, map[string]*node{"inactiveAfterSeconds": integer(), "expungeAfterSeconds": integer()})
}

func volumeNode(raw json.RawMessage) *node {
	fields := map[string]*node{"containerPath": text(), "hostPath": text(), "mode": word("RO", "RW")}
	var v map[string]json.RawMessage
	_ = json.Unmarshal(raw, &v)
	required := []string{"containerPath", "mode", "hostPath"}
	switch {
	case v["secret"] != nil:
		required = []string{"containerPath", "secret"}
	case v["persistent"] != nil, v["external"] != nil:
		required = []string{"containerPath", "mode"}
	}
	return object(required, fields)
}

func portFields() map[string]*node {
	return map[string]*node{"port": between("int", 0, 65535), "name": portName(), "protocol": word("tcp", "udp", "udp,tcp"), "labels": mapOf(text())}
}

func mappingNode() *node {
	return object(nil, map[string]*node{"containerPort": between("int", 0, 65535), "hostPort": between("int", 0, 65535), "servicePort": between("int", 0, 65535),
		"name": portName(), "protocol": word("tcp", "udp", "udp,tcp"), "labels": mapOf(text()), "networkNames": list(text())})
}

func containerNode() *node {
	return object(nil, map[string]*node{
		"type": word("DOCKER", "MESOS"), "volumes": list(&node{kind: "volume"}), "portMappings": list(mappingNode()),
		"docker": object([]string{"image"}, map[string]*node{
			"image": {kind: "string", minLen: 1}, "network": word("BRIDGE", "HOST", "USER", "NONE"), "forcePullImage": boolean(), "privileged": boolean(),
			"parameters": list(object([]string{"key", "value"}, map[string]*node{"key": text(), "value": text()})), "portMappings": list(mappingNode()),
		}),
	})
}

func healthNode() *node {
	return object(nil, map[string]*node{
		"protocol":           word("HTTP", "HTTPS", "TCP", "COMMAND", "MESOS_HTTP", "MESOS_HTTPS", "MESOS_TCP"),
		"gracePeriodSeconds": integer(), "intervalSeconds": integer(), "timeoutSeconds": integer(), "maxConsecutiveFailures": integer(), "delaySeconds": integer(),
		"ignoreHttp1xx": boolean(), "path": text(), "portIndex": integer(), "port": between("int", 0, 65535), "ipProtocol": word("IPv4", "IPv6"),
		"command": object([]string{"value"}, map[string]*node{"value": text()}),
	})
}

func readinessNode() *node {
	return object(nil, map[string]*node{"name": text(), "protocol": word("HTTP", "HTTPS"), "path": text(), "portName": text(), "intervalSeconds": integer(),
		"timeoutSeconds": integer(), "httpStatusCodesForReady": list(integer()), "preserveLastResponse": boolean()})
}

func appNode(required ...string) *node {
	return object(required, map[string]*node{
		"id": {kind: "string", minLen: 1, pattern: idPattern()}, "cmd": {kind: "string", minLen: 1}, "args": list(text()), "user": text(),
		"env": mapOf(&node{kind: "envvalue"}), "labels": mapOf(text()), "cpus": number(), "mem": number(), "disk": number(), "gpus": integer(), "instances": integer(),
		"fetch": list(object([]string{"uri"}, map[string]*node{"uri": text(), "extract": boolean(), "executable": boolean(), "cache": boolean(), "destPath": text()})),
		"uris":  list(text()), "executor": text(), "taskKillGracePeriodSeconds": integer(), "tty": boolean(), "dependencies": list(text()),
		"acceptedResourceRoles": list(text()), "role": text(), "constraints": list(list(text())), "killSelection": word("YOUNGEST_FIRST", "OLDEST_FIRST"),
		"networks":        list(object(nil, map[string]*node{"mode": word("host", "container/bridge", "container"), "name": text(), "labels": mapOf(text())})),
		"portDefinitions": list(object(nil, portFields())), "ports": list(between("int", 0, 65535)), "requirePorts": boolean(), "container": containerNode(),
		"healthChecks": list(healthNode()), "readinessChecks": list(readinessNode()), "backoffSeconds": integer(),
		"backoffFactor": {kind: "number", min: num(1)}, "maxLaunchDelaySeconds": integer(), "version": text(),
		"upgradeStrategy": object([]string{"minimumHealthCapacity", "maximumOverCapacity"}, map[string]*node{
			"minimumHealthCapacity": between("number", 0, 1), "maximumOverCapacity": between("number", 0, 1)}),
		"unreachableStrategy": {kind: "unreachable"}, "secrets": mapOf(&node{kind: "any"}),
		"executorResources": object(nil, map[string]*node{"cpus": number(), "mem": number(), "disk": number()}),
	})
}

// ValidID says whether a text may be an app's or group's id.
func ValidID(id string) bool { return idPattern().MatchString(id) }
