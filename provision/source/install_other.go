package source

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	"github.com/jomctl/jomctl/internal/host"
)

// archive unpacks an uploaded archive into a folder of its own, which appears as a whole or not at all.
func (i *Installer) archive(ctx context.Context, m host.Machine, p Plan, f Fetched) (programs Programs, err error) {
	dir := path.Join(installRoot, p.Component+"-"+f.Locked.SHA256[:min(12, len(f.Locked.SHA256))])
	if kept, ok := i.kept(ctx, m, p, dir); ok {
		return kept, nil
	}
	file, err := i.tarball(ctx, m, f)
	if err != nil {
		return programs, err
	}
	defer func() { err = errors.Join(err, m.Remove(context.WithoutCancel(ctx), file)) }()
	partial := dir + ".partial"
	for _, old := range []string{partial, dir} {
		if err := m.Remove(ctx, old); err != nil {
			return programs, fmt.Errorf("remove %s: %w", old, err)
		}
	}
	if err := m.MkdirAll(ctx, partial, 0o755); err != nil {
		return programs, fmt.Errorf("make %s: %w", partial, err)
	}
	if _, err := m.Run(ctx, "tar", "-x", "--no-same-owner", "-C", partial, "-f", file); err != nil {
		return programs, fmt.Errorf("unpack the archive: %w", err)
	}
	if _, err := m.Run(ctx, "mv", "-T", partial, dir); err != nil {
		return programs, err
	}
	programs, err = listed(ctx, m, dir)
	programs.Version = p.Version
	programs.Units = nil // nothing in an archive is known to systemd
	return programs, err
}

// tarball uploads an archive; a zip becomes a tar first, as hosts have no unzip.
func (i *Installer) tarball(ctx context.Context, m host.Machine, f Fetched) (string, error) {
	archive, err := zip.OpenReader(f.File)
	if err != nil {
		return upload(ctx, m, f, ".tar")
	}
	defer archive.Close()
	data, err := zipAsTar(&archive.Reader)
	if err != nil {
		return "", fmt.Errorf("read %s: %w", f.File, err)
	}
	at := path.Join(installRoot, "incoming", f.Locked.SHA256+".tar")
	_, err = m.WriteFile(ctx, at, data, 0o644)
	return at, err
}

func zipAsTar(archive *zip.Reader) ([]byte, error) {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, one := range archive.File {
		info := one.FileInfo()
		link := ""
		r, err := one.Open()
		if err != nil {
			return nil, err
		}
		text, err := io.ReadAll(r)
		r.Close()
		if err != nil {
			return nil, err
		}
		if info.Mode().Type() == os.ModeSymlink {
			link = string(text)
		}
		header, err := tar.FileInfoHeader(info, link)
		if err != nil {
			return nil, err
		}
		header.Name = one.Name
		if err := w.WriteHeader(header); err != nil {
			return nil, err
		}
		if header.Size > 0 {
			if _, err := w.Write(text); err != nil {
				return nil, err
			}
		}
	}
	return out.Bytes(), w.Close()
}

// listed takes programs from a folder of the host.
func listed(ctx context.Context, m host.Machine, dir string) (Programs, error) {
	out, err := m.Run(ctx, "find", "-L", dir, "-maxdepth", "8", "-type", "f")
	if err != nil {
		return Programs{}, fmt.Errorf("list %s: %w", dir, err)
	}
	var programs Programs
	programs.learn(strings.Split(strings.TrimSpace(out.Stdout), "\n"))
	programs.Units = nil
	return programs, nil
}

// image has the engine of the host pull an image by its digest, or load its archive.
func (i *Installer) image(ctx context.Context, m host.Machine, p Plan, f Fetched) (Programs, error) {
	l := p.Layout
	programs := Programs{Version: f.Locked.Version, Master: l.Master, Agent: l.Agent, Marathon: l.Marathon, Library: l.Library,
		LauncherDir: l.LauncherDir, WebUI: l.WebUI, Image: f.Locked.Image}
	if !i.Upload || f.File == "" {
		if !strings.Contains(programs.Image, "@") {
			return programs, fmt.Errorf("image %s has no digest; `jomctl sources lock` finds it", p.Image)
		}
		if i.Reuse {
			if _, err := m.Run(ctx, "docker", "image", "inspect", "--format", "{{.Id}}", programs.Image); err == nil {
				return programs, nil
			}
		}
		_, err := m.Run(ctx, "docker", "pull", "--quiet", programs.Image)
		return programs, err
	}
	file, err := upload(ctx, m, f, ".image.tar")
	if err != nil {
		return programs, err
	}
	_, err = m.Run(ctx, "docker", "load", "--quiet", "--input", file)
	if err = errors.Join(err, m.Remove(context.WithoutCancel(ctx), file)); err != nil {
		return programs, err
	}
	programs.Image = f.Locked.ImageID
	if _, err := m.Run(ctx, "docker", "image", "inspect", "--format", "{{.Id}}", programs.Image); err != nil {
		return programs, fmt.Errorf("the loaded archive is not %s: %w", programs.Image, err)
	}
	return programs, nil
}

// standin puts this machine's stand-in on the host, under the names of the programs that it stands in for.
func (i *Installer) standin(ctx context.Context, m host.Machine, p Plan) (Programs, error) {
	names := map[string][]string{Mesos: {"mesos-master", "mesos-agent", "mesos-executor"}, Marathon: {"marathon"}}[p.Component]
	if names == nil {
		return Programs{}, fmt.Errorf("there is no stand-in of %s", p.Component)
	}
	data, err := os.ReadFile(i.Standin)
	if err != nil {
		return Programs{}, fmt.Errorf("read the stand-in: %w", err)
	}
	dir := path.Join(installRoot, "standin", "bin")
	if _, err := m.WriteFile(ctx, path.Join(dir, "standin"), data, 0o755); err != nil {
		return Programs{}, fmt.Errorf("upload the stand-in: %w", err)
	}
	var files []string
	for _, name := range names {
		link := path.Join(dir, name)
		if _, err := m.Run(ctx, "ln", "-sfn", "standin", link); err != nil {
			return Programs{}, err
		}
		files = append(files, link)
	}
	programs := Programs{Version: "stand-in"}
	programs.learn(files)
	return programs, nil
}
