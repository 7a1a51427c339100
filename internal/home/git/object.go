package git

import (
	"bytes"
	"compress/zlib"
	"crypto/sha1" // #nosec G505 -- the name of an object in git, not a protection
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync"
)

// looseObject is an object as a file of its own: its name, and the file's content.
type looseObject struct {
	hash Hash
	file []byte
}

// encode makes the file of an object. Trees are mostly hashes, which do not get smaller, and what fits into a block of the disk need not:
// compressing them would be most of the work of a commit. The next packing does it for all.
func encode(kind string, data []byte) (looseObject, error) {
	head := []byte(kind + " " + strconv.Itoa(len(data)) + "\x00")
	sum := sha1.New() // #nosec G401
	sum.Write(head)
	sum.Write(data)
	level := zlib.NoCompression
	if kind == "blob" && len(data) > 4096 {
		level = zlib.BestSpeed
	}
	var file bytes.Buffer
	file.Grow(len(data)/8 + 64)
	packer, err := zlib.NewWriterLevel(&file, level)
	if err == nil {
		_, err = packer.Write(head)
	}
	if err == nil {
		_, err = packer.Write(data)
	}
	if err == nil {
		err = packer.Close()
	}
	return looseObject{Hash(sum.Sum(nil)), file.Bytes()}, err
}

// objectFile is where an object is that is in no pack.
func objectFile(repository string, hash Hash) string {
	name := hash.String()
	return filepath.Join(repository, "objects", name[:2], name[2:])
}

// writers is how many objects are written at once: they wait for the disk, and together for about as long as one.
const writers = 8

// store writes objects into a repository, and returns when they are on the disk: a ref that moves to them later can never be found
// without them. An object that is there already is written again, so that no cleaning takes it for an old one.
func store(repository string, objects []looseObject) error {
	var mu sync.Mutex
	var failed error
	var group sync.WaitGroup
	slots := make(chan struct{}, writers)
	for _, o := range objects {
		slots <- struct{}{}
		group.Go(func() {
			defer func() { <-slots }()
			if err := o.write(objectFile(repository, o.hash)); err != nil {
				mu.Lock()
				defer mu.Unlock()
				failed = errors.Join(failed, err)
			}
		})
	}
	group.Wait()
	if failed != nil {
		return fmt.Errorf("writing objects into %s: %w", repository, failed)
	}
	return nil
}

func (o looseObject) write(name string) error {
	folder := filepath.Dir(name)
	if err := os.Mkdir(folder, 0o777); err != nil && !errors.Is(err, fs.ErrExist) { // #nosec G301 -- the umask decides, as with git
		return err
	}
	temp := filepath.Join(folder, fmt.Sprintf("tmp_obj_%016x", rand.Uint64())) // #nosec G404 -- a name that git's cleaning knows
	file, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o444)   // #nosec G302
	if err != nil {
		return err
	}
	_, err = file.Write(o.file)
	if err == nil {
		err = file.Sync()
	}
	err = errors.Join(err, file.Close())
	if err == nil {
		err = os.Rename(temp, name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(temp))
	}
	return nil
}
