// Package zkdir makes folders in ZooKeeper: nodes that hold nothing but other nodes.
package zkdir

import (
	"path"

	"github.com/go-zookeeper/zk"
)

// Make makes a folder with all above it, where they are not there yet, for everybody to write in. Errors are those of the library; after
// one, the upper folders may have been made.
func Make(conn *zk.Conn, dir string) error {
	if dir == "/" || dir == "." {
		return nil
	}
	_, err := conn.Create(dir, nil, 0, zk.WorldACL(zk.PermAll))
	if err == zk.ErrNoNode {
		if err = Make(conn, path.Dir(dir)); err == nil {
			_, err = conn.Create(dir, nil, 0, zk.WorldACL(zk.PermAll))
		}
	}
	if err == zk.ErrNodeExists {
		return nil
	}
	return err
}
