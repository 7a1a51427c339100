package source

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"regexp"
	"strings"
)

const (
	packVersion  = "jomctl/pack/v1"
	manifestName = "manifest.json"
	packFolder   = "files"
)

// Manifest is the first file of a pack: the lock, and every file with its checksum.
type Manifest struct {
	APIVersion string       `json:"apiVersion"`
	Lock       []Locked     `json:"lock"`
	Files      []PackedFile `json:"files"`
}

// PackedFile is one artefact in a pack.
type PackedFile struct {
	// What is the component, and `key` for the key of its repository.
	What   string `json:"what"`
	From   string `json:"from"`
	SHA256 string `json:"sha256"`
	Size   int64  `json:"size"`
}

// files are the artefacts that a lock names, each once.
func (l *Lock) files(cache *Cache) ([]PackedFile, error) {
	var files []PackedFile
	seen := map[string]bool{}
	add := func(what, from, sum string) error {
		if sum == "" || seen[sum] {
			return nil
		}
		seen[sum] = true
		file, err := cache.File(sum)
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		info, err := os.Stat(file)
		if err != nil {
			return err
		}
		files = append(files, PackedFile{what, from, sum, info.Size()})
		return nil
	}
	for _, one := range l.Sources {
		if err := errors.Join(add(one.Component, one.URL+one.Image, one.SHA256), add(one.Component+" key", one.URL, one.KeySHA256)); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// Pack writes a tar archive with everything that the lock names. All of it must be in the cache.
func Pack(ctx context.Context, w io.Writer, lock *Lock, cache *Cache) (Manifest, error) {
	files, err := lock.files(cache)
	if err != nil {
		return Manifest{}, fmt.Errorf("pack the sources: %w", err)
	}
	manifest := Manifest{APIVersion: packVersion, Lock: lock.Sources, Files: files}
	text, err := json.MarshalIndent(manifest, "", "  ")
	if err != nil {
		return manifest, err
	}
	archive := tar.NewWriter(w)
	// Without times and owners, so that the same sources give the same archive.
	if err := archive.WriteHeader(&tar.Header{Name: manifestName, Mode: 0o644, Size: int64(len(text)), Format: tar.FormatPAX}); err != nil {
		return manifest, err
	}
	if _, err := archive.Write(text); err != nil {
		return manifest, fmt.Errorf("write the pack: %w", err)
	}
	for _, one := range files {
		if err := packFile(ctx, archive, one, cache.path(one.SHA256)); err != nil {
			return manifest, fmt.Errorf("write %s into the pack: %w", one.What, err)
		}
	}
	return manifest, archive.Close()
}

func packFile(ctx context.Context, archive *tar.Writer, one PackedFile, file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := archive.WriteHeader(&tar.Header{Name: packFolder + "/sha256-" + one.SHA256, Mode: 0o644, Size: one.Size, Format: tar.FormatPAX}); err != nil {
		return err
	}
	_, err = io.Copy(archive, contextReader{ctx, f})
	return err
}

var packedName = regexp.MustCompile(`^` + packFolder + `/sha256-([0-9a-f]{64})$`)

// Unpack reads a pack into the cache and returns its manifest; the lock gets what was packed. Every file is compared with its checksum,
// and what the manifest does not name is an error.
func Unpack(ctx context.Context, r io.Reader, lock *Lock, cache *Cache) (Manifest, error) {
	archive := tar.NewReader(r)
	manifest, err := readManifest(archive)
	if err != nil {
		return manifest, fmt.Errorf("read the pack: %w", err)
	}
	want := map[string]PackedFile{}
	for _, one := range manifest.Files {
		want[one.SHA256] = one
	}
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return manifest, fmt.Errorf("read the pack, which may be cut off: %w", err)
		}
		match := packedName.FindStringSubmatch(path.Clean(header.Name))
		if match == nil {
			return manifest, fmt.Errorf("read the pack: %q does not belong there", header.Name)
		}
		one, ok := want[match[1]]
		if !ok {
			return manifest, fmt.Errorf("read the pack: %s is not in its manifest", header.Name)
		}
		if _, _, err := cache.Add(ctx, one.What+" in the pack", archive, Artefact{SHA256: one.SHA256, Size: one.Size}); err != nil {
			return manifest, err
		}
		delete(want, one.SHA256)
	}
	for _, one := range want {
		return manifest, fmt.Errorf("read the pack, which may be cut off: %s (sha256 %s) is missing", one.What, one.SHA256)
	}
	for _, one := range manifest.Lock {
		lock.Set(one)
	}
	return manifest, nil
}

func readManifest(archive *tar.Reader) (Manifest, error) {
	var manifest Manifest
	header, err := archive.Next()
	if err != nil || header.Name != manifestName {
		return manifest, errors.Join(errors.New("this is no archive of `jomctl sources pack`: it does not begin with "+manifestName), err)
	}
	decoder := json.NewDecoder(io.LimitReader(archive, 16<<20))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&manifest); err != nil {
		return manifest, fmt.Errorf("its manifest: %w", err)
	}
	if !strings.HasPrefix(manifest.APIVersion, packVersion) {
		return manifest, fmt.Errorf("its manifest is %q, and this program reads %q", manifest.APIVersion, packVersion)
	}
	return manifest, nil
}
