package zkclient

import (
	"path"

	"github.com/go-zookeeper/zk"
)

// MakeDir makes a folder, a node that holds nothing but other nodes, with all above it, where they are not there yet, for everybody to write in. Errors are those of the library; after
// one, the upper folders may have been made.
func MakeDir(conn *zk.Conn, dir string) error {
	if dir == "/" || dir == "." {
		return nil
	}
	_, err := conn.Create(dir, nil, 0, zk.WorldACL(zk.PermAll))
	if err == zk.ErrNoNode {
		if err = MakeDir(conn, path.Dir(dir)); err == nil {
			_, err = conn.Create(dir, nil, 0, zk.WorldACL(zk.PermAll))
		}
	}
	if err == zk.ErrNodeExists {
		return nil
	}
	return err
}
