package hosts

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/jomctl/jomctl/internal/host"
	"github.com/jomctl/jomctl/provision"
)

// Keep returns the item as one that also records on its host what it puts there, and that refuses a host of another cluster.
func (k *Keeper) Keep(m host.Machine, item provision.Item) provision.Item {
	return kept{Item: item, keeper: k, machine: m}
}

type kept struct {
	provision.Item
	keeper  *Keeper
	machine host.Machine
}

func (i kept) contents(ctx context.Context) (contents, error) {
	switch item := i.Item.(type) {
	case provision.Service:
		return serviceContents(item), nil
	case recorded:
		return item.contents(ctx)
	}
	return contents{}, nil
}

func serviceContents(s provision.Service) contents {
	c := contents{files: map[string]FileMark{}, units: map[string]string{s.Unit.Name: s.Unit.Digest()}, gone: s.Gone}
	for _, f := range s.Files {
		c.files[f.Path] = mark(f)
	}
	return c
}

func mark(f provision.File) FileMark {
	sum := sha256.Sum256(f.Data)
	return FileMark{SHA256: hex.EncodeToString(sum[:]), Mode: fmt.Sprintf("%o", f.Mode.Perm())}
}

// Probe also looks whether the record knows the item.
func (i kept) Probe(ctx context.Context) (bool, []string, error) {
	record, err := i.keeper.Read(ctx, i.machine)
	if err != nil {
		return false, nil, err
	}
	done, changes, err := i.Item.Probe(ctx)
	if err != nil || !done {
		return done, changes, err
	}
	c, err := i.contents(ctx)
	if err != nil {
		return false, nil, err
	}
	if !record.has(c) {
		return false, []string{"record it in " + i.machine.Name() + ":" + RecordPath}, nil
	}
	return true, nil, nil
}

// Apply claims the host first, so that whatever an interrupted run leaves there can be told from another cluster's.
func (i kept) Apply(ctx context.Context) (bool, error) {
	if _, err := i.keeper.change(ctx, i.machine, func(*Record) {}); err != nil {
		return false, err
	}
	changed, err := i.Item.Apply(ctx)
	if err != nil {
		return changed, err
	}
	c, err := i.contents(ctx)
	if err != nil {
		return changed, err
	}
	wrote, err := i.keeper.change(ctx, i.machine, func(r *Record) { r.add(c) })
	return changed || wrote, err
}
