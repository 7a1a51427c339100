package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// Fetched is what was got for a plan, on this machine.
type Fetched struct {
	Locked Locked
	// File is the verified artefact in the cache; empty where the host fetches for itself.
	File string
	// Key is the armoured key of the repository; nil without one.
	Key []byte
	// Inside is what the artefact was seen to carry.
	Inside Contents
}

// Fetch verifies a source and brings its artefact into the cache. images brings the archive of an image too, which is needed only
// where hosts cannot pull it. Result tells what was seen; the error is Findings where the source was refused.
func (c *Checker) Fetch(ctx context.Context, p Plan, images bool) (Fetched, Result, error) {
	r := c.Check(ctx, p)
	if len(r.Findings) > 0 {
		return Fetched{}, r, r.Findings
	}
	got := Fetched{Locked: r.Locked, Key: r.key}
	var err error
	switch {
	case r.Plan.Kind == KindImage && !images:
	case r.Plan.Kind == KindImage && !c.Offline:
		if err = c.cached(&got); errors.Is(err, fs.ErrNotExist) || got.Locked.SHA256 == "" || got.Locked.ImageID == "" {
			c.say("pulling %s", got.Locked.Image)
			if err = c.pull(ctx, r.Plan, &got.Locked); err == nil {
				err = c.cached(&got)
			}
		}
	case r.Artefact != nil:
		err = c.artefact(ctx, *r.Artefact, &got)
	}
	if err == nil && c.Offline && got.Locked.KeySHA256 != "" {
		got.Key, err = c.cachedKey(got.Locked.KeySHA256)
	} else if err == nil && got.Key != nil {
		got.Locked.KeySHA256, err = c.keepKey(ctx, got.Key)
	}
	if err == nil && p.Kind == KindYum && got.Key != nil && !c.Offline {
		if c.signature(&r, &got); len(r.Findings) > 0 {
			return got, r, r.Findings
		}
	}
	if err == nil && got.File != "" && p.Kind != KindImage && p.Kind != KindWar && p.Kind != KindPlugin {
		got.Inside, err = Inspect(got.File)
	}
	if err != nil {
		r.fail(err)
		return got, r, r.Findings
	}
	if got.Locked.Version == "" {
		got.Locked.Version = got.Inside.Version
	}
	if p.fetched() && got.Locked.Got == "" {
		got.Locked.Got = day(c.now())
	}
	r.learn(got.Inside)
	r.Locked = got.Locked
	return got, r, nil
}

func (c *Checker) cached(got *Fetched) (err error) {
	if got.Locked.SHA256 == "" {
		return fmt.Errorf("no archive of %s was made: %w", got.Locked.Image, fs.ErrNotExist)
	}
	got.File, err = c.Cache.File(got.Locked.SHA256)
	return err
}

// artefact takes the file from the cache, or fetches it.
func (c *Checker) artefact(ctx context.Context, a Artefact, got *Fetched) error {
	if a.SHA256 != "" {
		path, err := c.Cache.File(a.SHA256)
		var damaged *MismatchError
		if err == nil {
			got.File = path
			return nil
		}
		if !errors.Is(err, fs.ErrNotExist) && !errors.As(err, &damaged) {
			return err
		}
	}
	open := func(at string) (io.ReadCloser, error) { return c.web().open(ctx, at) }
	places := append([]string{a.URL}, a.Mirrors...)
	if a.File != "" {
		open, places = func(at string) (io.ReadCloser, error) { return os.Open(at) }, []string{a.File}
	}
	c.say("fetching %s", a.Place())
	body, at, err := first(places, open)
	if err != nil {
		return err
	}
	defer body.Close()
	sum, size, err := c.Cache.Add(ctx, at, body, a)
	if err != nil {
		return err
	}
	got.Locked.SHA256, got.Locked.Size = sum, size
	got.File, err = c.Cache.File(sum)
	return err
}

func (c *Checker) keepKey(ctx context.Context, key []byte) (string, error) {
	sum, _, err := c.Cache.Add(ctx, "the repository's key", newBytes(key), Artefact{})
	return sum, err
}

func (c *Checker) cachedKey(sum string) ([]byte, error) {
	path, err := c.Cache.File(sum)
	if err != nil {
		return nil, err
	}
	return os.ReadFile(path)
}
