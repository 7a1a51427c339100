// Package master is the stand-in for mesos-master: it takes part in the masters' election in ZooKeeper, offers the
// resources of stand-in agents to frameworks over the v1 scheduler API, and shows the cluster on the real endpoints.
// What it leaves out it answers with 501.
package master

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/google/uuid"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"github.com/jomctl/jomctl/internal/standin/edition"
	"github.com/jomctl/jomctl/internal/standin/mesos/wire"
)

// exitAborted is the status of a real master that could not bind: it aborts.
const exitAborted = 134

// Main runs mesos-master with the real program's flags and returns its exit code.
func Main(args []string) int {
	if err := run(args, os.Environ(), os.Stdout, os.Stderr); err != nil {
		var fatal exit
		if errors.As(err, &fatal) {
			fmt.Fprintln(os.Stderr, fatal.text)
			return fatal.code
		}
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// exit is an end with a code and the text that the real program prints.
type exit struct {
	code int
	text string
}

func (e exit) Error() string { return e.text }

func fatalf(format string, args ...any) error {
	return exit{1, "EXIT with status 1: " + fmt.Sprintf(format, args...)}
}

func run(args, environ []string, stdout, stderr io.Writer) error {
	f := newFlags()
	if err := f.load(args, environ); err != nil {
		return exit{1, err.Error() + "\n\nSee `mesos-master --help` for a list of supported flags."}
	}
	switch {
	case f.yes("help"):
		return help(f, stdout)
	case f.yes("version"):
		_, err := fmt.Fprintf(stdout, "mesos %s (stand-in)\n", edition.Version(recorded))
		return err
	}
	fmt.Fprintln(stderr, "This is jomctl's stand-in for mesos-master, not Apache Mesos.")
	log, err := openLog(f, stderr)
	if err != nil {
		return err
	}
	place, err := checkFlags(f)
	if err != nil {
		return err
	}
	if ignored := f.ignored(); len(ignored) > 0 {
		log("The stand-in takes these flags and ignores them: %s", strings.Join(ignored, " "))
	}
	listener, err := listen(f)
	if err != nil {
		return err
	}
	defer listener.Close()
	s, ended := newServer(f, listener.Addr().(*net.TCPAddr), log)
	log("Master %s (%s) started on %s", s.info.ID, s.info.GetHostname(), listener.Addr())
	go func() {
		web := &http.Server{Handler: s.handler(), ReadHeaderTimeout: time.Minute}
		ended <- web.Serve(listener)
	}()
	stop := make(chan struct{})
	defer close(stop)
	go s.tick(stop)
	s.lead(place, ended)
	return <-ended
}

func help(f *flags, out io.Writer) error {
	fmt.Fprint(out, "Usage: mesos-master [options]\n\nThis is jomctl's stand-in. It takes the flags of mesos-master 1.11:\n\n")
	for _, one := range f.list {
		text := "  --" + one.name + "=VALUE"
		if one.isBool {
			text = "  --[no-]" + one.name
		}
		if one.set {
			text += " (default: " + one.value + ")"
		}
		fmt.Fprintln(out, text)
	}
	return nil
}

// checkFlags refuses what the real master refuses, and what this one leaves out. It returns where masters meet, nil when
// this one leads alone.
func checkFlags(f *flags) (*zkURL, error) {
	if err := checkAuthentication(f); err != nil {
		return nil, err
	}
	if f.given("acls") {
		return nil, fatalf("The stand-in leaves out authorization (--acls)")
	}
	if f.get("registry") == "replicated_log" {
		if !f.given("work_dir") {
			return nil, fatalf("--work_dir needed for replicated log based registry")
		}
		if err := os.MkdirAll(f.get("work_dir"), 0o755); err != nil {
			return nil, fatalf("Failed to create work directory '%s': %v", f.get("work_dir"), err)
		}
	}
	if !f.given("zk") {
		return nil, nil
	}
	if f.get("registry") == "replicated_log" && !f.given("quorum") {
		return nil, fatalf("Need to specify --quorum for replicated log based registry when using ZooKeeper")
	}
	text := f.get("zk")
	if file, ok := strings.CutPrefix(text, "file://"); ok {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, fatalf("Failed to read from file at '%s': %v", file, err)
		}
		text = strings.TrimSpace(string(data))
	}
	place, err := parseZKURL(text)
	if err != nil {
		return nil, fatalf("%v", err)
	}
	return &place, nil
}

func listen(f *flags) (net.Listener, error) {
	address := net.JoinHostPort(f.get("ip"), f.get("port"))
	listener, err := net.Listen("tcp", address)
	if err != nil {
		why := err.Error()
		switch {
		case errors.Is(err, syscall.EADDRINUSE):
			why = "Address already in use"
		case errors.Is(err, syscall.EADDRNOTAVAIL):
			why = "Cannot assign requested address"
		}
		return nil, exit{exitAborted, fmt.Sprintf("Failed to initialize: Failed to bind on %s: %s", address, why)}
	}
	return listener, nil
}

func newServer(f *flags, bound *net.TCPAddr, log func(string, ...any)) (*server, chan error) {
	ended := make(chan error, 4)
	set := settings{
		pingTimeout: f.duration("agent_ping_timeout"), maxPings: f.number("max_agent_ping_timeouts"),
		reregisterTimeout: f.duration("agent_reregister_timeout"), allocation: f.duration("allocation_interval"),
		heartbeat: heartbeatInterval, minAllocatable: parseMinAllocatable(f.get("min_allocatable_resources")),
		completedTasks: f.number("max_completed_tasks_per_framework"), completedFrames: f.number("max_completed_frameworks"),
		unreachableTasks: f.number("max_unreachable_tasks_per_framework"), hideGPUs: f.yes("filter_gpu_resources"),
	}
	if f.given("offer_timeout") {
		set.offerTimeout = f.duration("offer_timeout")
	}
	if f.given("roles") {
		set.roles = strings.Split(f.get("roles"), ",")
	}
	c := newCore(set, masterInfo(f, bound), noRegistry{}, log)
	return &server{core: c, flags: f, started: time.Now()}, ended
}

// masterInfo is how this master is known to others.
func masterInfo(f *flags, bound *net.TCPAddr) mesos.MasterInfo {
	ip, port := bound.IP, bound.Port
	if given := net.ParseIP(f.get("advertise_ip")); given != nil {
		ip = given
	} else if ip.IsUnspecified() {
		ip = ownIP()
	}
	if given, err := strconv.Atoi(f.get("advertise_port")); err == nil {
		port = given
	}
	hostname := f.get("hostname")
	if hostname == "" {
		hostname = ip.String()
		if names, err := net.LookupAddr(hostname); f.yes("hostname_lookup") && err == nil && len(names) > 0 {
			hostname = strings.TrimSuffix(names[0], ".")
		}
	}
	var number uint32
	if four := ip.To4(); four != nil {
		number = binary.LittleEndian.Uint32(four)
	}
	return mesos.MasterInfo{
		ID: uuid.NewString(), IP: number, Port: ptr(uint32(port)), PID: ptr(fmt.Sprintf("master@%s:%d", ip, port)), Hostname: &hostname,
		Version: ptr(edition.Version(recorded)), Address: &mesos.Address{Hostname: &hostname, IP: ptr(ip.String()), Port: int32(port)},
		Capabilities: []mesos.MasterInfo_Capability{
			{Type: mesos.MasterInfo_Capability_AGENT_UPDATE}, {Type: mesos.MasterInfo_Capability_AGENT_DRAINING}, {Type: quotaV2},
		},
	}
}

// quotaV2 is the capability that the v1 API has no name for; the node in ZooKeeper names it.
const quotaV2 mesos.MasterInfo_Capability_Type = 3

// ownIP is the address of this machine's own name, as libprocess finds it.
func ownIP() net.IP {
	if name, err := os.Hostname(); err == nil {
		if found, err := net.LookupIP(name); err == nil && len(found) > 0 {
			return found[0]
		}
	}
	return net.IPv4(127, 0, 0, 1)
}

// masterJSON is the MasterInfo as it stands in ZooKeeper.
func masterJSON(info mesos.MasterInfo) []byte {
	return []byte(strings.Replace(string(wire.EncodeJSON(info)), `,{}]`, `,{"type":"QUOTA_V2"}]`, 1))
}

// lead makes this master lead, at once when it is alone, else whenever the election says so.
func (s *server) lead(place *zkURL, ended chan<- error) {
	if place == nil {
		if s.flags.get("registry") == "replicated_log" {
			s.registry = fileRegistry{filepath.Join(s.flags.get("work_dir"), "standin_registry")}
		}
		s.setLeader(&s.info, true)
		go func() {
			if err := s.recoverAgents(); err != nil {
				ended <- fatalf("Recovery failed: Failed to recover registrar: %v", err)
				return
			}
			s.setRecovered()
		}()
		return
	}
	timeout := s.flags.duration("zk_session_timeout")
	address := net.JoinHostPort(s.info.Address.GetIP(), strconv.Itoa(int(s.info.GetPort())))
	members := &replica{url: *place, timeout: timeout, address: address, log: s.log}
	go members.run()
	vote := &election{url: *place, timeout: timeout, info: masterJSON(s.info), log: s.log}
	vote.changed = func(leader *mesos.MasterInfo, isSelf bool) { s.leaderChanged(vote, members, leader, isSelf, ended) }
	vote.lost = func() {
		if _, elected, _ := s.standing(); !elected.IsZero() {
			ended <- fatalf("Lost candidacy as a leader... committing suicide!")
			return
		}
		s.log("Lost candidacy as a follower... Contend again")
		s.setLeader(nil, false)
	}
	go vote.run()
}

func (s *server) leaderChanged(vote *election, members *replica, leader *mesos.MasterInfo, isSelf bool, ended chan<- error) {
	_, elected, _ := s.standing()
	if !elected.IsZero() {
		if !isSelf {
			ended <- fatalf("Lost leadership... committing suicide!")
		}
		return
	}
	if leader != nil {
		s.log("The newly elected leader is %s with id %s", leader.GetPID(), leader.ID)
	}
	if isSelf {
		s.log("Elected as the leading master!")
		s.registry = zkRegistry{conn: vote.conn, base: vote.url.path + "/standin_registry", acl: vote.url.acl()}
		go s.recoverWithQuorum(members, ended)
	}
	s.setLeader(leader, isSelf)
}

// recoverWithQuorum waits until as many masters take part as the real one's replicated log needs.
func (s *server) recoverWithQuorum(members *replica, ended chan<- error) {
	limit := s.flags.get("registry_fetch_timeout")
	deadline := time.Now().Add(s.flags.duration("registry_fetch_timeout"))
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for members.members.Load() < int64(s.flags.number("quorum")) {
		if time.Now().After(deadline) {
			ended <- exit{exitAborted, "Recovery failed: Failed to recover registrar: Failed to perform fetch within " + limit}
			return
		}
		<-tick.C
	}
	if err := s.recoverAgents(); err != nil {
		ended <- exit{exitAborted, "Recovery failed: Failed to recover registrar: " + err.Error()}
		return
	}
	s.setRecovered()
}
