// Package lab gives tests machines: containers with systemd, sshd and a disk for their own Docker Engine, made by the Terraform target
// docker exactly as for a user. They end with the test, also when it is killed. A lab needs JOMCTL_TEST_LAB=1 and, where no
// Docker Engine answers, root.
package lab

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jomctl/jomctl/provision/terraform"
)

// Lab is a set of running machines.
type Lab struct {
	// Name is the cluster's name, which nothing else on this machine has.
	Name string
	// Hosts are the machines, with their addresses on this machine's own network.
	Hosts []terraform.Host
	// KeyFile is a private SSH key that opens root and admin (sudo without a password) on every host; KeyFile + ".pub" its public half.
	KeyFile string
	// Dir is a folder that goes with the test.
	Dir string

	t         testing.TB
	variables terraform.Variables
}

// Control is a control host, Agent a Mesos agent, for Up.
func Control(name string) terraform.HostVar {
	return terraform.HostVar{Name: name, Roles: []string{"control"}}
}

// Agent is a Mesos agent, for Up.
func Agent(name string) terraform.HostVar {
	return terraform.HostVar{Name: name, Roles: []string{"mesos-agent"}}
}

// Up brings up the hosts and waits until systemd has started everything on them and sshd answers. Where the host was not given a
// number it gets one. The first Up on a machine builds the hosts' image (minutes), later ones take seconds.
func Up(t testing.TB, hosts ...terraform.HostVar) *Lab {
	t.Helper()
	if os.Getenv("JOMCTL_TEST_LAB") != "1" {
		t.Skip("a lab of real hosts needs JOMCTL_TEST_LAB=1")
	}
	image := script(t, "lab-image.sh")
	l := &Lab{Name: "lab-" + random(t), Dir: t.TempDir(), t: t}
	l.KeyFile = filepath.Join(l.Dir, "id_ed25519")
	l.must("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", l.Name, "-f", l.KeyFile)
	public, err := os.ReadFile(l.KeyFile + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	l.variables = terraform.Variables{Cluster: l.Name, SSHPublicKey: string(public), Image: image,
		Options: map[string]string{"apt_cache": aptCache(t)}}
	l.endWithTest()
	l.Resize(hosts...)
	return l
}

// Resize makes the lab have these hosts: new ones come up, the others stay as they are, and what is not named ends.
func (l *Lab) Resize(hosts ...terraform.HostVar) {
	l.t.Helper()
	l.variables.Hosts = terraform.Number(hosts, l.Hosts)
	var err error
	for range 20 {
		if l.variables.CIDR == "" {
			n, _ := rand.Int(rand.Reader, big.NewInt(250))
			l.variables.CIDR = fmt.Sprintf("10.78.%d.0/24", n.Int64()+1)
		}
		if l.Hosts, err = l.apply(); err == nil {
			return
		}
		// Another lab on this machine may have this network.
		if !strings.Contains(err.Error(), "is in use by another network") {
			break
		}
		l.variables.CIDR = ""
	}
	l.t.Fatalf("bring up the lab: %v", err)
}

func (l *Lab) driver(ctx context.Context) (*terraform.Driver, error) {
	return terraform.New(ctx, terraform.Options{Dir: filepath.Join(l.Dir, "terraform"), Target: "docker", Variables: l.variables,
		Progress: func(line string) { l.t.Log(line) }})
}

func (l *Lab) apply() ([]terraform.Host, error) {
	ctx := l.t.Context()
	d, err := l.driver(ctx)
	if err != nil {
		return nil, err
	}
	p, err := d.Plan(ctx)
	if err != nil {
		return nil, err
	}
	if err := d.Apply(ctx, p); err != nil {
		return nil, err
	}
	return d.Inventory(ctx)
}

// endWithTest has everything removed at the end of the test: in order by Terraform, or, when the test's process dies before, by a
// helper whose standard input ends with that process.
func (l *Lab) endWithTest() {
	l.t.Helper()
	sweeper := exec.Command("bash", "-c", sweep, "sweep", "org.jomctl.cluster="+l.Name)
	sweeper.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	alive, err := sweeper.StdinPipe()
	if err == nil {
		err = sweeper.Start()
	}
	if err != nil {
		l.t.Fatalf("start the lab's sweeper: %v", err)
	}
	l.t.Cleanup(func() {
		if l.t.Failed() {
			l.collect()
		}
		if err := l.destroy(); err != nil {
			l.t.Errorf("destroy the lab: %v", err)
		}
		_, _ = io.WriteString(alive, "gone\n")
		alive.Close()
		_ = sweeper.Wait()
	})
}

// sweep waits for a word, and removes what carries the label when none comes.
const sweep = `read -r word && exit 0
docker ps -aq --filter "label=$1" | xargs -r docker rm -fv
docker volume ls -q --filter "label=$1" | xargs -r docker volume rm
docker network ls -q --filter "label=$1" | xargs -r docker network rm`

func (l *Lab) destroy() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	d, err := l.driver(ctx)
	if err != nil {
		return err
	}
	p, err := d.PlanDestroy(ctx)
	if err != nil {
		return err
	}
	return d.Apply(ctx, p)
}

// Host is the machine of that name.
func (l *Lab) Host(name string) terraform.Host {
	l.t.Helper()
	for _, h := range l.Hosts {
		if h.Name == name {
			return h
		}
	}
	l.t.Fatalf("the lab has no host %s", name)
	return terraform.Host{}
}

func script(t testing.TB, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(scriptPath(name), args...)
	var talk strings.Builder
	cmd.Stderr = &talk
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, talk.String())
	}
	return strings.TrimSpace(string(out))
}

// aptCache is the URL of a cache of Debian's packages; empty where there can be none, since a lab works without, slower.
func aptCache(t testing.TB) string {
	out, err := exec.Command(scriptPath("lab-apt-cache.sh")).Output()
	if err != nil {
		t.Logf("no cache of packages: %v", err)
		return ""
	}
	return strings.TrimSpace(string(out))
}

func scriptPath(name string) string {
	_, here, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(here), "..", "..", "scripts", name)
}

func random(t testing.TB) string {
	b := make([]byte, 4)
	if _, err := rand.Read(b); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(b)
}
