package backup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/jomctl/jomctl/internal/wholefile"
)

func (s Server) besideDir(id string) string {
	return s.Config.Home + ".restoring-" + id[:min(8, len(id))]
}

// free refuses a home that a controller runs on, and one of a history that this home does not belong to.
func (s Server) free() error {
	release, err := s.own()
	if err != nil {
		return &Error{Kind: ErrForbidden, Place: s.Config.Home, Problem: err.Error(), Fix: "stop that controller; the home is as it was"}
	}
	release()
	return nil
}

func (s Server) own() (release func(), err error) {
	if _, err := os.Stat(s.Config.Home); errors.Is(err, fs.ErrNotExist) {
		return func() {}, nil
	}
	return s.Hooks.Own(s.Config.Home)
}

// marked is an *Error where a controller would refuse what is restored, as nothing there belongs to the history.
func (s Server) marked() error {
	if !s.Config.History {
		return nil
	}
	ok, err := s.Hooks.HasMark(s.Config.Home)
	if err == nil && !ok {
		err = &Error{Kind: ErrForbidden, Place: s.Config.Home, Problem: "is not the home of the history in jenkins.scm, so that a controller would refuse the backup in its place",
			Fix: "let the controller make the home from its history (`jomctl install`); then restore again"}
	}
	return err
}

// beside restores a backup beside the home, gives the cluster's account the password of now, and makes it belong to the history.
func (s Server) beside(ctx context.Context, set Set, id string) (Verdict, error) {
	if err := s.marked(); err != nil {
		return Verdict{}, err
	}
	to := s.besideDir(id)
	if err := os.RemoveAll(to); err != nil { // of a run that was cut off
		return Verdict{}, fmt.Errorf("removing what an earlier restore has left: %w", err)
	}
	v, err := set.Restore(ctx, id, to)
	if err == nil && !v.Counts() {
		err = &Error{Kind: ErrDamaged, Place: "backup " + id[:min(8, len(id))], Problem: "is not whole: " + v.Problems[0], Fix: "choose another one (`jomctl backups`); the home is as it was"}
	}
	if err == nil && s.Config.Account != "" {
		err = s.account(to)
	}
	if err == nil && s.Config.History {
		err = s.Hooks.CopyMark(s.Config.Home, to)
	}
	if err == nil {
		err = s.give(to)
	}
	if err != nil {
		return v, errors.Join(err, os.RemoveAll(to))
	}
	return v, nil
}

// give makes what root has written into a restored home the controller's own, which may run as another user.
func (s Server) give(to string) error {
	info, err := os.Stat(filepath.Join(to, "config.xml"))
	if err != nil {
		return fmt.Errorf("looking at the restored home: %w", err)
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok || os.Geteuid() != 0 {
		return nil
	}
	files, err := filepath.Glob(literalGlob(to) + "/users/*/config.xml")
	for _, name := range append(files, to, filepath.Join(to, ".jomctl"), filepath.Join(to, ".jomctl", "home.json")) {
		if chown := os.Lchown(name, int(owner.Uid), int(owner.Gid)); !errors.Is(chown, fs.ErrNotExist) {
			err = errors.Join(err, chown)
		}
	}
	return err
}

// literalGlob keeps Glob from reading patterns into a folder's name.
func literalGlob(name string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(name)
}

func (s Server) exchange(id string) (kept string, err error) {
	release, err := s.own()
	if err != nil {
		return "", &Error{Kind: ErrForbidden, Place: s.Config.Home, Problem: err.Error(), Fix: "stop that controller; the home is as it was"}
	}
	defer release()
	return Exchange(s.Config.Home, s.besideDir(id), time.Now())
}

var (
	accountID   = regexp.MustCompile(`<id>([^<]*)</id>`)
	accountHash = regexp.MustCompile(`<passwordHash>([^<]*)</passwordHash>`)
)

// account gives the account of Config.Account in a restored home the password that the cluster has now: the backup may be of a time when
// it was another one, and nobody could log in.
func (s Server) account(home string) error {
	now, err := os.ReadFile(s.Config.Account)
	if err != nil {
		return fmt.Errorf("reading the account of the cluster: %w", err)
	}
	id, hash := accountID.FindSubmatch(now), accountHash.FindSubmatch(now)
	if id == nil || hash == nil {
		return nil
	}
	files, err := filepath.Glob(literalGlob(home) + "/users/*/config.xml")
	if err != nil {
		return err
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("reading an account of the restored home: %w", err)
		}
		was := accountID.FindSubmatch(data)
		if was == nil || !strings.EqualFold(string(was[1]), string(id[1])) || !accountHash.Match(data) {
			continue
		}
		text := accountHash.ReplaceAllLiteral(data, hash[0])
		if bytes.Equal(text, data) {
			continue
		}
		if err := wholefile.Write(file, text, 0o600); err != nil {
			return fmt.Errorf("giving the account %s its password: %w", id[1], err)
		}
		s.Say(fmt.Sprintf("the account %s has the password that the cluster has now", id[1]))
	}
	return nil
}
