// Package repo makes the package repository of the lab: Debian packages that carry the stand-ins in the layouts in which Mesos and Marathon
// are found in the field, in a signed apt repository behind HTTP, which can be spoiled in the ways in which real ones are.
package repo

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/goreleaser/nfpm/v2"
	"github.com/goreleaser/nfpm/v2/deb"
	"github.com/goreleaser/nfpm/v2/files"

	"github.com/jomctl/jomctl/internal/standin/edition"
)

// Layout is how a package is built.
type Layout string

// The layouts.
const (
	// VendorMesos is the vendor's `mesos`: programs in /usr/sbin, configuration under /etc/mesos*, and units for master and agent that are
	// both enabled on every host.
	VendorMesos Layout = "vendor-mesos"
	// ForkMesos is the living fork's `aventer-mesos`: programs in /usr/bin, nothing under /etc, units that nobody enables.
	ForkMesos Layout = "fork-mesos"
	// VendorMarathon is the vendor's `marathon` from 1.5 on: /usr/share/marathon, /etc/default/marathon, a user and an enabled unit.
	VendorMarathon Layout = "vendor-marathon"
)

// PackageName is the name of the package in a layout.
func (l Layout) PackageName() string {
	return map[Layout]string{VendorMesos: "mesos", ForkMesos: "aventer-mesos", VendorMarathon: "marathon"}[l]
}

// Edition is what the programs of a package are, besides the stand-in as it is.
type Edition struct {
	// Says is the version that they tell; empty is that of the stand-in.
	Says string
	// Broken programs end at once.
	Broken bool
}

// BuildPackage writes a package with a version into dir and returns its path. standin is the program standin, built static for arch.
func BuildPackage(dir string, layout Layout, version, arch, standin string) (string, error) {
	return BuildEdition(dir, layout, version, arch, standin, Edition{})
}

// BuildEdition is BuildPackage with programs that say they are another version, or do not start.
func BuildEdition(dir string, layout Layout, version, arch, standin string, as Edition) (string, error) {
	if _, err := os.Stat(standin); err != nil {
		return "", fmt.Errorf("build package %s: %w", layout, err)
	}
	work, err := os.MkdirTemp(dir, ".build-")
	if err != nil {
		return "", fmt.Errorf("build package %s: %w", layout, err)
	}
	defer os.RemoveAll(work)
	b := &builder{dir: work, standin: standin, edition: as, info: nfpm.WithDefaults(&nfpm.Info{Name: layout.PackageName(), Arch: arch, Version: version, VersionSchema: "none",
		Maintainer: "jomctl lab <lab@example.org>", Section: "misc", Priority: "optional", Description: "stand-in for the lab, in the layout " + string(layout)})}
	switch layout {
	case VendorMesos:
		b.vendorMesos()
	case ForkMesos:
		b.forkMesos()
	case VendorMarathon:
		b.vendorMarathon()
	default:
		return "", fmt.Errorf("build package %s: there is no such layout", layout)
	}
	path := filepath.Join(dir, fmt.Sprintf("%s_%s_%s.deb", b.info.Name, version, arch))
	if err := b.write(path); err != nil {
		return "", fmt.Errorf("build package %s: %w", layout, err)
	}
	return path, nil
}

// builder collects the files of one package; the first error stays.
type builder struct {
	dir, standin string
	edition      Edition
	info         *nfpm.Info
	err          error
}

func (b *builder) write(path string) error {
	if b.err != nil {
		return b.err
	}
	if err := nfpm.PrepareForPackager(b.info, "deb"); err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := deb.Default.Package(b.info, f); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// file adds a text.
func (b *builder) file(dst string, mode os.FileMode, text string) {
	src := b.source(dst, text)
	kind := ""
	if strings.HasPrefix(dst, "/etc/") {
		kind = files.TypeConfig
	}
	b.info.Contents = append(b.info.Contents, &files.Content{Source: src, Destination: dst, Type: kind, FileInfo: &files.ContentFileInfo{Mode: mode}})
}

func (b *builder) source(dst, text string) string {
	src := filepath.Join(b.dir, strings.ReplaceAll(strings.Trim(dst, "/"), "/", "+"))
	if err := os.WriteFile(src, []byte(text), 0o644); err != nil && b.err == nil {
		b.err = err
	}
	return src
}

// program adds the stand-in under a name.
func (b *builder) program(dst string) {
	b.info.Contents = append(b.info.Contents, &files.Content{Source: b.standin, Destination: dst, FileInfo: &files.ContentFileInfo{Mode: 0o755}})
}

// starts adds a program of Mesos or Marathon: a link to the stand-in, or a script that starts it as another version.
func (b *builder) starts(dst, to, standin string) {
	name := filepath.Base(dst)
	switch {
	case b.edition.Broken:
		b.file(dst, 0o755, "#!/bin/sh\necho \"$0: error while loading shared libraries\" >&2\nexit 127\n")
	case b.edition.Says != "":
		b.file(dst, 0o755, fmt.Sprintf("#!/bin/sh\n%s=%s exec %s %s \"$@\"\n", edition.Variable, b.edition.Says, standin, name))
	default:
		b.link(dst, to)
	}
}

func (b *builder) link(dst, to string) {
	b.info.Contents = append(b.info.Contents, &files.Content{Source: to, Destination: dst, Type: files.TypeSymlink})
}

// common is what both layouts of Mesos have: libexec, library, web UI.
func (b *builder) common(libraryDir string) {
	b.program("/usr/libexec/mesos/standin")
	for _, name := range []string{"mesos-executor", "mesos-containerizer"} {
		b.link("/usr/libexec/mesos/"+name, "standin")
	}
	// No Java binding: Marathon and old plugins that load it must be refused beforehand.
	b.file(libraryDir+"/libmesos-1.11.0.so", 0o644, "stand-in: there is no library\n")
	b.link(libraryDir+"/libmesos.so", "libmesos-1.11.0.so")
	b.file("/usr/share/mesos/webui/index.html", 0o644, "<html><body>stand-in</body></html>\n")
}

func unit(description, command, more string) string {
	return "[Unit]\nDescription=" + description + "\nAfter=network.target\n\n[Service]\nExecStart=" + command + "\nRestart=always\nRestartSec=20\nLimitNOFILE=16384\n" + more +
		"\n[Install]\nWantedBy=multi-user.target\n"
}

func (b *builder) vendorMesos() {
	b.common("/usr/local/lib")
	for _, name := range []string{"mesos-master", "mesos-agent", "mesos-slave"} {
		b.starts("/usr/sbin/"+name, "../libexec/mesos/standin", "/usr/libexec/mesos/standin")
	}
	b.file("/usr/bin/mesos-init-wrapper", 0o755, "#!/bin/bash\nset -o errexit\n. /etc/default/mesos\nexec \"/usr/sbin/mesos-$1\" \"--zk=$(cat /etc/mesos/zk)\"\n")
	b.file("/etc/mesos/zk", 0o644, "zk://localhost:2181/mesos\n")
	b.file("/etc/mesos-master/quorum", 0o644, "1\n")
	b.file("/etc/mesos-master/work_dir", 0o644, "/var/lib/mesos\n")
	b.file("/etc/mesos-slave/work_dir", 0o644, "/var/lib/mesos\n")
	for _, name := range []string{"mesos", "mesos-master", "mesos-slave"} {
		b.file("/etc/default/"+name, 0o644, "ULIMIT=\"-n 8192\"\n")
	}
	b.file("/lib/systemd/system/mesos-master.service", 0o644, unit("Mesos Master", "/usr/bin/mesos-init-wrapper master", ""))
	b.file("/lib/systemd/system/mesos-slave.service", 0o644, unit("Mesos Slave", "/usr/bin/mesos-init-wrapper slave", "KillMode=process\n"))
	b.enables("mesos-master.service", "mesos-slave.service")
}

func (b *builder) forkMesos() {
	b.common("/usr/lib")
	for _, name := range []string{"mesos-master", "mesos-agent"} {
		b.starts("/usr/bin/"+name, "../libexec/mesos/standin", "/usr/libexec/mesos/standin")
	}
	b.file("/usr/bin/mesos-init-wrapper", 0o755, "#!/bin/bash\nset -o errexit\nexec \"/usr/bin/mesos-$1\" \"--zk=$(cat /etc/mesos/zk)\"\n")
	b.file("/usr/lib/systemd/system/mesos-master.service", 0o644, unit("Mesos Master", "/usr/bin/mesos-init-wrapper master", ""))
	b.file("/usr/lib/systemd/system/mesos-agent.service", 0o644, unit("Mesos Agent", "/usr/bin/mesos-init-wrapper agent", "KillMode=process\nDelegate=true\n"))
}

func (b *builder) vendorMarathon() {
	if b.edition == (Edition{}) {
		b.program("/usr/share/marathon/bin/marathon")
	} else {
		b.program("/usr/share/marathon/lib/standin")
		b.starts("/usr/share/marathon/bin/marathon", "", "/usr/share/marathon/lib/standin")
	}
	b.file("/etc/default/marathon", 0o644, "MARATHON_MESOS_USER=\"root\"\n")
	b.file("/lib/systemd/system/marathon.service", 0o644, strings.Replace(unit("Marathon", "/usr/share/marathon/bin/marathon", "User=marathon\n"),
		"[Service]\n", "[Service]\nEnvironmentFile=/etc/default/marathon\n", 1))
	b.enables("marathon.service")
	b.script(&b.info.Scripts.PreInstall, "preinst", "id marathon >/dev/null 2>&1 || useradd --system --no-create-home --shell /usr/sbin/nologin marathon")
}

// enables gives the package a postinst that enables units, as the vendor's have, and starts them as debhelper's do.
func (b *builder) enables(units ...string) {
	var text strings.Builder
	text.WriteString("if [ -d /run/systemd/system ]; then\n  systemctl daemon-reload || true\nfi\n")
	for _, unit := range units {
		fmt.Fprintf(&text, "if [ -x /usr/bin/deb-systemd-helper ]; then deb-systemd-helper enable %s >/dev/null || true; fi\n", unit)
		fmt.Fprintf(&text, "if [ -d /run/systemd/system ]; then deb-systemd-invoke start %s >/dev/null || true; fi\n", unit)
	}
	b.script(&b.info.Scripts.PostInstall, "postinst", text.String())
}

func (b *builder) script(to *string, name, text string) {
	*to = b.source("/"+name, "#!/bin/sh\nset -e\n"+text+"\n")
}
