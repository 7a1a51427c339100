package source

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/jomctl/jomctl/internal/host"
)

// RepositoryPrefix begins the names of the files of repositories in RepositoryFolders of a host.
const RepositoryPrefix = "jomctl-"

// RepositoryFolders are the folders of a host in which repositories have their files, of apt and of dnf.
func RepositoryFolders() []string {
	return []string{listsFolder, keyringsFolder, yumFolder, rpmKeysFolder}
}

// keyring is the path of the repository's key on a host. It is named by the repository, not by what comes from it: apt reads no
// list at all when two lines name different keys for one repository.
func (r *Repository) keyring() string {
	return keyringsFolder + "/" + RepositoryPrefix + r.name(r.URI, r.Suite) + ".asc"
}

// list is the path of the repository's line on a host. Components that come from one line share it.
func (r *Repository) list(arch string) string {
	return listsFolder + "/" + RepositoryPrefix + r.name(append([]string{r.URI, r.Suite, arch}, r.Components...)...) + ".list"
}

func (r *Repository) name(parts ...string) string {
	host := "repository"
	if u, err := url.Parse(r.URI); err == nil && u.Hostname() != "" {
		host = strings.ReplaceAll(u.Hostname(), ":", "-")
	}
	sum := sha256.Sum256([]byte(strings.Join(parts, "\n")))
	return host + "-" + hex.EncodeToString(sum[:4])
}

// repositories writes keys and lines of the repositories, reads the index of each once, and compares what apt will fetch with the lock.
// Lines that do not work go again, as they would keep all of apt from working.
func (i *Installer) repositories(ctx context.Context, m host.Machine, wanted []Need) (err error) {
	var written, read []string
	defer func() {
		if err == nil {
			return
		}
		for _, list := range written {
			err = errors.Join(err, m.Remove(context.WithoutCancel(ctx), list))
		}
	}()
	for _, w := range wanted {
		if w.Plan.Repository == nil || i.uploaded(w) {
			continue
		}
		list := w.Plan.Repository.list(w.Plan.Facts.Arch)
		wrote, err := writeRepository(ctx, m, w, list)
		if wrote {
			written = append(written, list)
		}
		if err == nil && !slices.Contains(read, list) {
			err = i.readRepository(ctx, m, w.Plan.Repository, list)
			read = append(read, list)
		}
		if err == nil {
			err = agrees(ctx, m, w)
		}
		if err != nil {
			return w.about(err)
		}
	}
	return nil
}

func writeRepository(ctx context.Context, m host.Machine, w Need, list string) (written bool, err error) {
	p, f := w.Plan, w.Fetched
	if f.Key == nil || f.Locked.Version == "" {
		return false, errors.New("its repository was not verified before")
	}
	keyring := p.Repository.keyring()
	if _, err := m.WriteFile(ctx, keyring, f.Key, 0o644); err != nil {
		return false, fmt.Errorf("write the repository's key: %w", err)
	}
	line := "# Written by jomctl.\n" + p.Repository.Line(keyring, p.Facts.Arch) + "\n"
	if written, err = m.WriteFile(ctx, list, []byte(line), 0o644); err != nil {
		return false, fmt.Errorf("write the repository's line: %w", err)
	}
	return written, nil
}

// readRepository has apt read the index of one line.
func (i *Installer) readRepository(ctx context.Context, m host.Machine, r *Repository, list string) error {
	// Only this list: other repositories of the host may be down, and are none of our business.
	if _, err := i.apt(ctx, m, "update", "-o", "Dir::Etc::sourcelist="+list, "-o", "Dir::Etc::sourceparts=-",
		"-o", "APT::Get::List-Cleanup=0", "-o", "APT::Update::Error-Mode=any"); err != nil {
		return fmt.Errorf("read the repository %s: %w", r.URI, err)
	}
	return nil
}
