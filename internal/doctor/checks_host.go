package doctor

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/status"
)

type hostOf = config.Host

// trouble is a line that programs are known to write.
type trouble struct {
	pattern *regexp.Regexp
	problem string
	fix     string
}

func troubles(list ...[3]string) []trouble {
	var all []trouble
	for _, one := range list {
		all = append(all, trouble{regexp.MustCompile(one[0]), one[1], one[2]})
	}
	return all
}

// refusals keep a program from starting. They only count while it does not run: an old line explains nothing.
func refusals() []trouble {
	return troubles(
		[3]string{`Incompatible (agent|slave) info detected`, "refuses to recover: its attributes or resources are not those that it has registered with",
			"put the old values back; or, when values were only added, run it with --reconfiguration_policy=additive for good; or drain it, remove meta/slaves/latest in its work_dir, and start it: that kills its tasks and gives it a new id"},
		[3]string{`Failed to perform recovery|rm -f .*meta/slaves/latest`, "cannot recover what it has on disk",
			"read the lines above; when the cause is Docker, start Docker first; removing meta/slaves/latest in its work_dir is the last resort, as it kills its tasks and gives it a new id"},
		[3]string{`UnsatisfiedLinkError|Failed to load native Mesos library|(libmesos|libgcrypt|libsasl|libsvn|libstdc\+\+|libcurl|libevent)[^ ]*: (cannot open shared object|version .* not found)|cannot open shared object file`,
			"does not find libmesos, or a library that it needs", "set MESOS_NATIVE_JAVA_LIBRARY to the libmesos.so of the installed Mesos, and run `ldd` on it: each line with `not found` is a package to install; libmesos and Marathon must be of fitting versions"},
		[3]string{`UnsupportedClassVersionError|has been compiled by a more recent version of the Java|older than the minimum`, "runs with a Java that is too old",
			"install the Java that this version needs, and name it absolutely (jenkins.java, JAVA_HOME)"},
		[3]string{`Failed to perform fetch within|Recovery failed: Failed to recover registrar`, "cannot read its registry: no quorum of masters reached each other in time",
			"start all masters close together, and compare --quorum, --zk and --ip of all of them"},
		[3]string{`Multiple election participants have the same id`, "found its own old session in ZooKeeper", "wait: it starts by itself when the session is over (10 s); the restart delay must be longer than that"},
		[3]string{`Failed to locate systemd runtime directory`, "needs systemd, or to be told that there is none", "run the Mesos agent with --no-systemd_enable_support"},
		[3]string{`[Cc]group.*(not mounted|hierarch|unsupported|v2)|Failed to determine canonical path.*cgroup`, "does not find the cgroup hierarchy that it is made for",
			"this Mesos wants cgroup v1: boot with systemd.unified_cgroup_hierarchy=0, or take a build that knows v2"},
		[3]string{`Address already in use|BindException|Failed to (bind|listen)`, "finds its port in use", "see who has it: `ss -ltnp`"},
		[3]string{`Required option '?[a-z_]+'? not found|Unknown option|Bad option|unknown flag`, "does not understand its options, or misses one",
			"this version of Marathon reads no files in /etc/marathon/conf, and takes every MARATHON_* variable for an option: keep one form"},
		[3]string{`refused authentication|Failed to authenticate`, "is refused by the master", "compare the credentials of both sides"},
		[3]string{`Migration is already in progress|Unsupported storage version`, "finds its storage in another version's hands", "stop all Marathons but one; let that one migrate; then start the others"},
	)
}

// symptoms are bad whether the program runs or not.
func symptoms() []trouble {
	return troubles(
		[3]string{`No space left on device|ENOSPC`, "has found a disk full", "make room: sandboxes and old images first; then set gc_delay and docker_remove_delay lower"},
		[3]string{`[Ff]ailed to pull image|docker pull.*(failed|timed? ?out)|(toomanyrequests|manifest unknown|pull access denied)`, "cannot pull an image",
			"look whether the agent reaches the registry, and whether the credentials and the digest are right"},
		[3]string{`did not register within|[Ee]xecutor .*registration timed? ?out`, "gave up a task that did not start in time, mostly because its image was still being pulled",
			"pull the image on the agents first, and set --executor_registration_timeout to 10mins or more"},
		[3]string{`fsync-ing the write ahead log .* took (\d{4,})ms`, "waits seconds for its disk, which costs leaderships", "give ZooKeeper a disk of its own, and Mesos and Marathon a longer session timeout"},
		[3]string{`Too many open files`, "has no file descriptors left", "raise LimitNOFILE of its unit"},
		[3]string{`Failed to get user information for|No such user|Failed to chown`, "does not know the user that tasks run as", "create the user with the same uid on every Mesos agent; a framework's user is fixed at its first registration"},
	)
}

// recentStart is how long a program that was started again must have run to count as started.
const recentStart = time.Minute

func checkRefusals(ctx context.Context, f *facts) ([]Finding, error) {
	return f.logs(ctx, refusals(), func(u unit) bool {
		return !u.Running || u.Restarts > 0 && time.Since(u.Since) < recentStart
	})
}

func checkLogs(ctx context.Context, f *facts) ([]Finding, error) {
	return f.logs(ctx, symptoms(), func(unit) bool { return true })
}

// logs looks for lines in the logs of the units that count.
func (f *facts) logs(ctx context.Context, known []trouble, counts func(unit) bool) ([]Finding, error) {
	all, err := f.units()
	found, faults := make([][]Finding, len(all)), make([]error, len(all)+1)
	faults[len(all)] = err
	var group sync.WaitGroup
	for i, one := range all {
		if !counts(one) {
			continue
		}
		group.Go(func() {
			text, err := logTail(ctx, one.machine, one.LogFile, logBytes)
			faults[i] = could("the log of "+one.subject(), err)
			found[i] = searchLog(one, text, known)
		})
	}
	group.Wait()
	var out []Finding
	for _, list := range found {
		out = append(out, list...)
	}
	return out, joined(faults)
}

// linesShown is how many lines are shown as evidence.
const linesShown = 3

func searchLog(u unit, text string, known []trouble) []Finding {
	var found []Finding
	for _, one := range known {
		var lines []string
		for line := range strings.Lines(text) {
			if one.pattern.MatchString(line) && !strings.Contains(line, "Flags at startup") {
				lines = append(lines, clip(strings.TrimSpace(line)))
			}
		}
		if len(lines) > 0 {
			found = append(found, finding(status.Warning, u.subject(), one.problem, one.fix, lines[max(0, len(lines)-linesShown):]...))
		}
	}
	return found
}

// Of a disk: percent used, and MiB left.
const (
	diskWarn, diskFull = 90, 97
	diskLeft           = 1024
)

func checkDisk(ctx context.Context, f *facts) ([]Finding, error) {
	var found []Finding
	var faults []error
	seen := map[string]bool{}
	for _, machine := range f.in.Machines {
		out, err := machine.Run(ctx, "df", "-Pk", machine.Dir())
		if err == nil {
			err = fmt.Errorf("df answered %q", out.Stdout)
		}
		lines := lastLines(out.Stdout, 1)
		var fields []string
		if len(lines) == 1 {
			fields = strings.Fields(lines[0])
		}
		if len(fields) < 6 || !strings.HasSuffix(fields[4], "%") {
			faults = append(faults, could("the disk of "+machine.Name(), err))
			continue
		}
		subject := "disk of " + machine.Name()
		if f.in.Cluster.Target == config.TargetLocal { // all hosts are on this machine
			subject = "disk of this machine"
			if seen[fields[5]] {
				continue
			}
			seen[fields[5]] = true
		}
		used, errUsed := strconv.Atoi(strings.TrimSuffix(fields[4], "%"))
		left, errLeft := strconv.Atoi(fields[3])
		if errUsed != nil || errLeft != nil || used < diskWarn && left/1024 >= diskLeft {
			continue
		}
		severity := status.Warning
		if used >= diskFull || left/1024 < diskLeft {
			severity = status.Error
		}
		found = append(found, finding(severity, subject, fmt.Sprintf("is %d %% full, %d MiB are left at %s", used, left/1024, fields[5]),
			"remove old sandboxes and images; Mesos stops placing nothing because of this, tasks fail instead", lines[0]))
	}
	return found, joined(faults)
}
