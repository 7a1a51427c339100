package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/ui"
	"github.com/jomctl/jomctl/provision/source"
)

func runSourcesPack(ctx context.Context, a *app, opts sourcesOptions, file string) error {
	if _, err := os.Stat(file); err == nil && !a.global.Yes {
		return &usageError{fmt.Errorf("%s is there already (--yes replaces it)", file)}
	}
	r, err := newSourcesRun(ctx, a, opts)
	if err != nil {
		return err
	}
	results, found, err := r.fetch(ctx, true)
	if err != nil {
		return err
	}
	if len(found) > 0 {
		return a.writeSources(results, found)
	}
	out, err := os.CreateTemp(filepath.Dir(file), ".pack-")
	if err != nil {
		return fmt.Errorf("write the pack: %w", err)
	}
	defer os.Remove(out.Name())
	manifest, err := source.Pack(ctx, out, r.checker.Lock, r.checker.Cache)
	if err = errors.Join(err, out.Chmod(0o644), out.Sync(), out.Close()); err != nil {
		return err
	}
	if err := os.Rename(out.Name(), file); err != nil {
		return fmt.Errorf("write the pack: %w", err)
	}
	for _, result := range results {
		if result.Locked.SHA256 == "" && (result.Plan.Kind == source.KindApt || result.Plan.Kind == source.KindYum) {
			a.say("Note: %s is not in the pack: it comes from the hosts' own package sources", result.Plan.Package)
		}
	}
	return a.writeManifest("packed into "+file, manifest)
}

func runSourcesUnpack(ctx context.Context, a *app, file string) error {
	cluster := &config.Cluster{File: a.global.File}
	lock, err := source.ReadLock(source.LockFile(cluster))
	if err != nil {
		return err
	}
	in, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return &usageError{fmt.Errorf("there is no file %s", file)}
	}
	if err != nil {
		return err
	}
	defer in.Close()
	cache := &source.Cache{Dir: filepath.Join(cluster.StateDir(), "cache")}
	manifest, err := source.Unpack(ctx, in, lock, cache)
	if err != nil {
		return err
	}
	folders, err := placeJenkins(a.global.File, cache, manifest.Lock)
	if err != nil {
		return err
	}
	for _, folder := range folders {
		a.say("Jenkins's files are in %s", folder)
	}
	if err := lock.Write(source.LockFile(cluster)); err != nil {
		return err
	}
	return a.writeManifest("unpacked into "+filepath.Join(cluster.StateDir(), "cache"), manifest)
}

func (a *app) writeManifest(did string, manifest source.Manifest) error {
	if a.global.Output == formatJSON {
		return a.writeJSON(manifest)
	}
	var total int64
	for _, one := range manifest.Files {
		fmt.Fprintf(a.streams.Out, "%s  %s  %s\n", one.SHA256, one.What, ui.Clean(one.From))
		total += one.Size
	}
	_, err := fmt.Fprintf(a.streams.Out, "%d files, %d bytes, %s\n", len(manifest.Files), total, did)
	return err
}
