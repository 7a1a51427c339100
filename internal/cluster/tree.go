package cluster

import (
	"context"
	"errors"
	"fmt"
	parent "path"
	"slices"
	"strings"

	"github.com/go-zookeeper/zk"

	"github.com/jomctl/jomctl/internal/zkclient"
)

// Node is one node of a tree in ZooKeeper. Path is relative to the tree's root, which is "".
type Node struct {
	Path string `json:"path"`
	Data []byte `json:"data,omitempty"`
}

// Tree reads all lasting nodes below a path, parents before their children; none where the path is not there.
func (z ZooKeeper) Tree(ctx context.Context, path string) ([]Node, error) {
	var all []Node
	err := z.ask(ctx, func(conn *zk.Conn) error {
		all = nil
		return walk(conn, path, "", &all)
	})
	return all, failed("read the tree "+path+" of ZooKeeper", strings.Join(z.Servers, ","), err)
}

func walk(conn *zk.Conn, root, rel string, all *[]Node) error {
	data, stat, err := conn.Get(root + rel)
	if errors.Is(err, zk.ErrNoNode) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s%s: %w", root, rel, err)
	}
	if stat.EphemeralOwner != 0 {
		return nil
	}
	*all = append(*all, Node{Path: rel, Data: data})
	children, _, err := conn.Children(root + rel)
	if errors.Is(err, zk.ErrNoNode) {
		return nil
	}
	slices.Sort(children)
	for _, child := range children {
		if err == nil {
			err = walk(conn, root, rel+"/"+child, all)
		}
	}
	return err
}

// ReplaceTree makes a tree these nodes and no others. One that was cut off can be called again. Nobody may write to it meanwhile.
func (z ZooKeeper) ReplaceTree(ctx context.Context, path string, nodes []Node) error {
	err := z.ask(ctx, func(conn *zk.Conn) error {
		var old []Node
		if err := walk(conn, path, "", &old); err != nil {
			return err
		}
		for _, node := range slices.Backward(old) {
			if !slices.ContainsFunc(nodes, func(n Node) bool { return n.Path == node.Path }) {
				if err := conn.Delete(path+node.Path, -1); err != nil && !errors.Is(err, zk.ErrNoNode) {
					return fmt.Errorf("remove %s%s: %w", path, node.Path, err)
				}
			}
		}
		for _, node := range nodes {
			_, err := conn.Set(path+node.Path, node.Data, -1)
			if errors.Is(err, zk.ErrNoNode) {
				if node.Path == "" {
					if err := zkclient.MakeDir(conn, parent.Dir(path)); err != nil {
						return err
					}
				}
				_, err = conn.Create(path+node.Path, node.Data, 0, zk.WorldACL(zk.PermAll))
			}
			if err != nil {
				return fmt.Errorf("write %s%s: %w", path, node.Path, err)
			}
		}
		return nil
	})
	return failed("put back the tree "+path+" of ZooKeeper", strings.Join(z.Servers, ","), err)
}
