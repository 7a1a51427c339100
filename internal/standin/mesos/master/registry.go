package master

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/go-zookeeper/zk"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
)

// registry keeps the admitted agents over a change of leader. The real one is a log replicated between the masters; here
// it is one node or file per agent, which is enough for masters of one machine.
type registry interface {
	load() ([]mesos.AgentInfo, error)
	put(agent mesos.AgentInfo) error
	remove(id string) error
	// The operator's document is one value; it is nil when there is none yet.
	loadOperator() ([]byte, error)
	saveOperator(doc []byte) error
}

// zkRegistry keeps them under the masters' own path in ZooKeeper.
type zkRegistry struct {
	conn *zk.Conn
	base string
	acl  []zk.ACL
}

func (r zkRegistry) load() ([]mesos.AgentInfo, error) {
	names, _, err := r.conn.Children(r.base)
	if errors.Is(err, zk.ErrNoNode) {
		return nil, ensurePath(r.conn, r.base, r.acl)
	}
	if err != nil {
		return nil, fmt.Errorf("list agents in ZooKeeper at %s: %w", r.base, err)
	}
	var agents []mesos.AgentInfo
	for _, name := range names {
		data, _, err := r.conn.Get(path.Join(r.base, name))
		if errors.Is(err, zk.ErrNoNode) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read agent %s in ZooKeeper: %w", name, err)
		}
		var agent mesos.AgentInfo
		if err := json.Unmarshal(data, &agent); err != nil {
			return nil, fmt.Errorf("read agent %s in ZooKeeper: %w", name, err)
		}
		agents = append(agents, agent)
	}
	return agents, nil
}

func (r zkRegistry) put(agent mesos.AgentInfo) error {
	data, err := json.Marshal(agent)
	if err != nil {
		return fmt.Errorf("write agent %s: %w", agent.GetID().GetValue(), err)
	}
	node := path.Join(r.base, agent.GetID().GetValue())
	_, err = r.conn.Create(node, data, 0, r.acl)
	if errors.Is(err, zk.ErrNodeExists) {
		_, err = r.conn.Set(node, data, -1)
	}
	if err != nil {
		return fmt.Errorf("write agent to ZooKeeper at %s: %w", node, err)
	}
	return nil
}

func (r zkRegistry) remove(id string) error {
	err := r.conn.Delete(path.Join(r.base, id), -1)
	if err != nil && !errors.Is(err, zk.ErrNoNode) {
		return fmt.Errorf("remove agent %s from ZooKeeper: %w", id, err)
	}
	return nil
}

// operatorNode is beside the agents, and its name is no agent's.
func (r zkRegistry) operatorNode() string { return r.base + "_operator" }

func (r zkRegistry) loadOperator() ([]byte, error) {
	data, _, err := r.conn.Get(r.operatorNode())
	if errors.Is(err, zk.ErrNoNode) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s in ZooKeeper: %w", r.operatorNode(), err)
	}
	return data, nil
}

func (r zkRegistry) saveOperator(doc []byte) error {
	_, err := r.conn.Create(r.operatorNode(), doc, 0, r.acl)
	if errors.Is(err, zk.ErrNodeExists) {
		_, err = r.conn.Set(r.operatorNode(), doc, -1)
	}
	if err != nil {
		return fmt.Errorf("write %s in ZooKeeper: %w", r.operatorNode(), err)
	}
	return nil
}

// fileRegistry keeps them in a folder of the work_dir, for a master that leads alone.
type fileRegistry struct{ dir string }

func (r fileRegistry) load() ([]mesos.AgentInfo, error) {
	if err := os.MkdirAll(r.dir, 0o755); err != nil {
		return nil, fmt.Errorf("create the registry: %w", err)
	}
	files, err := filepath.Glob(filepath.Join(r.dir, "*.json"))
	if err != nil {
		return nil, fmt.Errorf("list the registry %s: %w", r.dir, err)
	}
	var agents []mesos.AgentInfo
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read the registry: %w", err)
		}
		var agent mesos.AgentInfo
		if err := json.Unmarshal(data, &agent); err != nil {
			return nil, fmt.Errorf("read %s: %w", file, err)
		}
		agents = append(agents, agent)
	}
	return agents, nil
}

func (r fileRegistry) file(id string) string {
	return filepath.Join(r.dir, strings.ReplaceAll(id, "/", "_")+".json")
}

func (r fileRegistry) put(agent mesos.AgentInfo) error {
	data, err := json.Marshal(agent)
	if err != nil {
		return fmt.Errorf("write agent %s: %w", agent.GetID().GetValue(), err)
	}
	file := r.file(agent.GetID().GetValue())
	if err := os.WriteFile(file+".new", data, 0o644); err != nil {
		return fmt.Errorf("write the registry: %w", err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		return fmt.Errorf("write the registry: %w", err)
	}
	return nil
}

func (r fileRegistry) remove(id string) error {
	if err := os.Remove(r.file(id)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove agent %s from the registry: %w", id, err)
	}
	return nil
}

func (r fileRegistry) operatorFile() string { return filepath.Join(r.dir, "operator") }

func (r fileRegistry) loadOperator() ([]byte, error) {
	doc, err := os.ReadFile(r.operatorFile())
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the registry: %w", err)
	}
	return doc, nil
}

func (r fileRegistry) saveOperator(doc []byte) error {
	if err := os.WriteFile(r.operatorFile()+".new", doc, 0o644); err != nil {
		return fmt.Errorf("write the registry: %w", err)
	}
	if err := os.Rename(r.operatorFile()+".new", r.operatorFile()); err != nil {
		return fmt.Errorf("write the registry: %w", err)
	}
	return nil
}

// noRegistry forgets (--registry=in_memory).
type noRegistry struct{}

func (noRegistry) load() ([]mesos.AgentInfo, error) { return nil, nil }
func (noRegistry) put(mesos.AgentInfo) error        { return nil }
func (noRegistry) remove(string) error              { return nil }
func (noRegistry) loadOperator() ([]byte, error)    { return nil, nil }
func (noRegistry) saveOperator([]byte) error        { return nil }

// ensurePath makes the node and everything above it.
func ensurePath(conn *zk.Conn, node string, acl []zk.ACL) error {
	parts := strings.Split(strings.Trim(node, "/"), "/")
	for i := range parts {
		one := "/" + strings.Join(parts[:i+1], "/")
		if _, err := conn.Create(one, nil, 0, acl); err != nil && !errors.Is(err, zk.ErrNodeExists) {
			return fmt.Errorf("create %s in ZooKeeper: %w", one, err)
		}
	}
	return nil
}
