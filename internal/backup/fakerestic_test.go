package backup

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestMain makes this program a restic where it is called by that name.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "restic" {
		os.Exit(fake{os.Args[0] + ".state"}.main(os.Args[1], os.Args[2:]))
	}
	os.Exit(m.Run())
}

// fake is a restic whose repository is a folder beside it: what it keeps, forgets and restores is really there. A file in that folder named
// after a verb has it fail with that text, after it has done its work; one named hang has a restore stand still.
type fake struct{ folder string }

func (f fake) file(parts ...string) string {
	return filepath.Join(append([]string{f.folder}, parts...)...)
}

func (f fake) text(parts ...string) (text string, there bool) {
	data, err := os.ReadFile(f.file(parts...))
	return string(data), err == nil
}

func (f fake) main(verb string, args []string) int {
	fatal := func(text string) int {
		fmt.Fprintln(os.Stderr, text)
		return 1
	}
	password, _ := os.ReadFile(os.Getenv("RESTIC_PASSWORD_FILE"))
	opens, there := f.text("config")
	switch {
	case !there && verb != "init":
		return fatal("Fatal: unable to open config file: no such file. Is there a repository at the following location?")
	case there && opens != string(password):
		return fatal("Fatal: wrong password or no key found")
	}
	work := map[string]func([]string) error{"init": func([]string) error {
		return errors.Join(os.WriteFile(f.file("config"), password, 0o600), os.MkdirAll(f.file("snap"), 0o755))
	}, "backup": f.backup, "snapshots": f.snapshots, "forget": f.forget, "restore": f.restore, "stats": func([]string) error {
		fmt.Println(`{"total_size":1,"total_file_count":1}`)
		return nil
	}}[verb]
	if work != nil {
		if err := work(args); err != nil {
			return fatal(err.Error())
		}
	}
	if text, there := f.text(verb); there {
		return fatal(text)
	}
	if text, there := f.text("partial"); there && verb == "backup" {
		fatal(text)
		return 3
	}
	return 0
}

// ids are those of all snapshots, the oldest first.
func (f fake) ids() (ids []string) {
	entries, _ := os.ReadDir(f.file("snap"))
	for _, one := range entries {
		ids = append(ids, one.Name())
	}
	return ids
}

func (f fake) backup([]string) error {
	before, _ := f.text("n")
	n, _ := strconv.Atoi(before)
	id := fmt.Sprintf("%08x%056d", n+1, 0)
	home, _ := os.Getwd()
	at := time.Now().UTC()
	data, _ := json.Marshal(rawSnapshot{ID: id, Time: at, Host: "ci", Paths: []string{home}, Tags: []string{mark}})
	fmt.Printf(`{"message_type":"summary","snapshot_id":"%s"}`+"\n", id[:8])
	err := os.WriteFile(f.file("n"), []byte(strconv.Itoa(n+1)), 0o600)
	if _, fails := f.text("backup"); fails {
		return err
	}
	return errors.Join(err, copyHome(home, f.file("data", id)), os.WriteFile(f.file("snap", id), data, 0o600))
}

// copyHome copies the regular files.
func copyHome(from, to string) error {
	return filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		name, _ := filepath.Rel(from, path)
		data, err := os.ReadFile(path)
		info, infoErr := entry.Info()
		if err = errors.Join(err, infoErr); err != nil {
			return err
		}
		copied := filepath.Join(to, name)
		return errors.Join(os.MkdirAll(filepath.Dir(copied), 0o755), os.WriteFile(copied, data, 0o600), os.Chtimes(copied, info.ModTime(), info.ModTime()))
	})
}

func (f fake) snapshots(args []string) error {
	all := []json.RawMessage{}
	for _, id := range f.ids() {
		if last := args[len(args)-1]; last == mark || strings.HasPrefix(id, last) {
			text, _ := f.text("snap", id)
			all = append(all, json.RawMessage(text))
		}
	}
	return json.NewEncoder(os.Stdout).Encode(all)
}

func (f fake) forget(args []string) error {
	ids := f.ids()
	if args[0] == "--dry-run" {
		keep, _ := strconv.Atoi(args[slices.Index(args, "--keep-last")+1])
		remove := []rawSnapshot{}
		for _, id := range ids[:max(len(ids)-keep, 0)] {
			remove = append(remove, rawSnapshot{ID: id})
		}
		return json.NewEncoder(os.Stdout).Encode([]any{map[string]any{"remove": remove}})
	}
	if _, fails := f.text("forget"); fails {
		return nil
	}
	for _, id := range ids {
		if slices.ContainsFunc(args, func(arg string) bool { return strings.HasPrefix(id, arg) }) {
			if err := errors.Join(os.Remove(f.file("snap", id)), os.RemoveAll(f.file("data", id))); err != nil {
				return err
			}
		}
	}
	return nil
}

func (f fake) restore(args []string) error {
	for _, id := range f.ids() {
		if strings.HasPrefix(id, args[0]) {
			if err := copyHome(f.file("data", id), args[2]); err != nil {
				return err
			}
		}
	}
	if _, hangs := f.text("hang"); hangs {
		_ = os.WriteFile(f.file("hang"), []byte("begun"), 0o600)
		time.Sleep(time.Hour)
	}
	return nil
}

// fakeRestic is a program that keeps its repository beside it, and that folder.
func fakeRestic(t *testing.T) (program, state string) {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	program = filepath.Join(t.TempDir(), "restic")
	require.NoError(t, os.Symlink(self, program))
	require.NoError(t, os.Mkdir(program+".state", 0o755))
	return program, program + ".state"
}

// host is one host with the home, and with a state of its own.
type host struct {
	t      *testing.T
	server Server
	set    Set
	repo   string
}

// newHost makes a host of a home; hosts that share a program share its repository.
func newHost(t *testing.T, home, program string) *host {
	t.Helper()
	dir := t.TempDir()
	put(t, dir, "password", "pass word\n")
	c := Config{Cluster: "ci", Home: home, Location: "/fake", PasswordFile: filepath.Join(dir, "password"), State: filepath.Join(dir, "state"), Last: 2, PeriodSeconds: 3600}
	set := c.Set()
	set.Repository.Program = program
	return &host{t: t, server: Server{Config: c, Say: quiet, Hooks: Hooks{Own: func(string) (func(), error) { return func() {}, nil }}}, set: set, repo: program + ".state"}
}

// fails has a verb of the repository's program fail with a text from now on; an empty text mends it.
func (h *host) fails(verb, text string) {
	h.t.Helper()
	if text == "" {
		require.NoError(h.t, os.Remove(filepath.Join(h.repo, verb)))
		return
	}
	require.NoError(h.t, os.WriteFile(filepath.Join(h.repo, verb), []byte(text), 0o600))
}

// run makes a backup as the timer does.
func (h *host) run(q Request) (Reply, error) {
	h.t.Helper()
	q.Verb = VerbRun
	reply := Reply{}
	err := h.server.run(h.t.Context(), h.set, q, &reply)
	return reply, err
}

// ids are the first eight digits of the backups that are in the repository, the oldest first.
func (h *host) ids() []string {
	h.t.Helper()
	entries, err := os.ReadDir(filepath.Join(h.repo, "snap"))
	require.NoError(h.t, err)
	ids := []string{}
	for _, one := range entries {
		ids = append(ids, strings.TrimLeft(one.Name()[:8], "0"))
	}
	return ids
}

// holds has the repository hold backups that nobody here knows of.
func (h *host) holds(times ...time.Time) {
	h.t.Helper()
	require.NoError(h.t, os.MkdirAll(filepath.Join(h.repo, "snap"), 0o755))
	password, err := os.ReadFile(h.set.Repository.PasswordFile)
	require.NoError(h.t, err)
	require.NoError(h.t, os.WriteFile(filepath.Join(h.repo, "config"), password, 0o600))
	first := len(h.ids()) + 1
	for i, at := range times {
		data, err := json.Marshal(rawSnapshot{ID: fmt.Sprintf("%08x%056d", first+i, 0), Time: at, Host: "ci", Tags: []string{mark}})
		require.NoError(h.t, err)
		require.NoError(h.t, os.WriteFile(filepath.Join(h.repo, "snap", fmt.Sprintf("%08x%056d", first+i, 0)), data, 0o600))
	}
	require.NoError(h.t, os.WriteFile(filepath.Join(h.repo, "n"), []byte(strconv.Itoa(first+len(times)-1)), 0o600))
}

// first is the ID of the oldest backup.
func (h *host) first() string { return fake{h.repo}.ids()[0] }
