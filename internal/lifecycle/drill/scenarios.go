package drill

import (
	"slices"
	"time"

	"github.com/jomctl/jomctl/internal/probe"
	"github.com/jomctl/jomctl/provision"
)

// What recoveries take at most by default: several times what was measured on two busy cores.
const (
	restartTarget = 60 * time.Second
	leaderTarget  = 45 * time.Second
	hungTarget    = 3 * time.Minute
	hostTarget    = 3 * time.Minute
)

// Standard are the scenarios of the standard suite, in the order in which they are run. Those that a cluster cannot have are left out.
func Standard() []string {
	return []string{"controller-killed", "build-agent-killed", "master-killed", "marathon-killed", "zookeeper-lost", "edge-killed", "mesos-agent-killed",
		"git-unreachable", "registry-unreachable", "control-host-rebooted", "zookeeper-quorum-lost", "mesos-agent-stopped", "mesos-agent-host-off",
		"controller-hung", "network-cut", "controller-host-off", "home-disk-full", "home-deleted"}
}

// Builtin are the scenarios that come with the program.
func Builtin() []Scenario {
	return slices.Concat(ofController(), ofMesosAgents(), ofControl(), ofHosts(), ofHome(), ofSurroundings())
}

// serving are the parts that a fault of the controller takes down.
func serving() []string {
	return []string{probe.Edge, probe.API, probe.Controller, probe.AgentPort, probe.Task, probe.Framework}
}

func ofController() []Scenario {
	return []Scenario{
		{Name: "controller-killed", Title: "Controller process killed",
			Hypothesis: "Marathon starts the controller again with everything that was saved",
			Blast:      func(f Facts) string { return "Jenkins is away for one start; running builds are lost" },
			Faults: func(f Facts) []Injection {
				return []Injection{{Kind: KillController, Host: f.Controller, Task: f.Task}}
			},
			Bears: serving(), WithBuild: true, LosesBuild: true, Recovery: restartTarget},
		{Name: "controller-hung", Title: "Controller process hangs (SIGSTOP)",
			Hypothesis: "the health check notices, and Marathon replaces the task",
			Blast: func(f Facts) string {
				return "Jenkins hangs until its health check fails, then is away for one start; running builds are lost"
			},
			Faults: func(f Facts) []Injection {
				return []Injection{{Kind: StopController, Host: f.Controller, Task: f.Task}}
			},
			Until: UntilRecovered, Bears: serving(), Recovery: hungTarget},
		{Name: "controller-host-off", Title: "Host of the controller off",
			Hypothesis:  "Mesos gives the host up and the controller starts elsewhere, or, where its home is on that host's disk, when the host is back",
			Blast:       hostOffBlast,
			Unavailable: func(f Facts) string { return f.CanPower },
			Refused:     refuseOnlyAgent,
			Faults:      func(f Facts) []Injection { return []Injection{{Kind: PowerOff, Host: f.Controller}} },
			Until:       UntilHeld, Hold: 25 * time.Second, Bears: serving(), LosesBuild: true, Recovery: hostTarget},
	}
}

func ofMesosAgents() []Scenario {
	return []Scenario{
		{Name: "mesos-agent-killed", Title: "Mesos agent process under the controller killed",
			Hypothesis: "the agent comes back and recovers its tasks; the controller does not notice",
			Blast:      func(f Facts) string { return "build agents on " + f.Controller + " may be lost" },
			Faults: func(f Facts) []Injection {
				return []Injection{{Kind: KillUnit, Host: f.Controller, Unit: provision.RoleMesosAgent}}
			},
			KeepsController: true, LosesBuild: true, Recovery: leaderTarget},
		{Name: "mesos-agent-stopped", Title: "Mesos agent under the controller stopped (SIGSTOP)",
			Hypothesis: "Mesos gives the agent up while the controller on it lives on; there is never more than one owner of the home",
			Blast: func(f Facts) string {
				return "Mesos may give " + f.Controller + " up: Jenkins starts anew, running builds are lost"
			},
			Faults: func(f Facts) []Injection {
				return []Injection{{Kind: StopUnit, Host: f.Controller, Unit: provision.RoleMesosAgent}}
			},
			Until: UntilHeld, Hold: 25 * time.Second, Bears: serving(), LosesBuild: true, Recovery: hostTarget},
		{Name: "mesos-agent-host-off", Title: "Host of a Mesos agent without the controller off",
			Hypothesis: "people notice nothing; builds of that host are lost, new ones run elsewhere",
			Blast:      func(f Facts) string { return "builds on " + other(f) + " are lost" },
			Unavailable: func(f Facts) string {
				if f.CanPower == "" && other(f) == "" {
					return "there is no Mesos agent without the controller"
				}
				return f.CanPower
			},
			Faults: func(f Facts) []Injection { return []Injection{{Kind: PowerOff, Host: other(f)}} },
			Until:  UntilRecovered, KeepsController: true, LosesBuild: true, Recovery: leaderTarget},
	}
}

func ofControl() []Scenario {
	return []Scenario{
		{Name: "master-killed", Title: "Leading Mesos master killed",
			Hypothesis: "another master leads, agents and Jenkins register again, builds go on",
			Blast:      func(f Facts) string { return "no build agent starts until another master leads" },
			Faults: func(f Facts) []Injection {
				return []Injection{{Kind: KillUnit, Host: f.MasterLeader, Unit: provision.RoleMesosMaster}}
			},
			Bears:           []string{probe.Mesos, probe.Framework, probe.Marathon, probe.Task},
			KeepsController: true, WithBuild: true, Recovery: leaderTarget},
		{Name: "marathon-killed", Title: "Leading Marathon killed",
			Hypothesis: "another Marathon leads; the controller does not notice",
			Blast:      func(f Facts) string { return "a controller that ended now would wait for the next Marathon" },
			Faults: func(f Facts) []Injection {
				return []Injection{{Kind: KillUnit, Host: f.MarathonLeader, Unit: provision.RoleMarathon}}
			},
			Bears:           []string{probe.Marathon, probe.Task},
			KeepsController: true, WithBuild: true, Recovery: leaderTarget},
		{Name: "zookeeper-lost", Title: "Leading ZooKeeper lost",
			Hypothesis:  "the others elect a leader; masters and Marathon may end themselves and come back, the controller does not notice",
			Blast:       func(f Facts) string { return "one more ZooKeeper server lost meanwhile would stop elections" },
			Unavailable: needsThree,
			Faults: func(f Facts) []Injection {
				return []Injection{{Kind: StopUnit, Host: f.ZooKeeperLeader, Unit: provision.RoleZooKeeper}}
			},
			Until: UntilHeld, Hold: 15 * time.Second,
			Bears:           []string{probe.ZooKeeper, probe.Mesos, probe.Marathon, probe.Task, probe.Framework},
			KeepsController: true, Recovery: time.Minute},
		{Name: "zookeeper-quorum-lost", Title: "Quorum of ZooKeeper lost, and back",
			Hypothesis: "masters and Marathon end and come back; the controller and its builds go on",
			Blast: func(f Facts) string {
				return "nothing new is placed while the quorum is away; masters and Marathon start anew"
			},
			Faults: func(f Facts) []Injection {
				var all []Injection
				for _, host := range slices.Concat([]string{f.ZooKeeperLeader}, without(f.Control, f.ZooKeeperLeader))[:len(f.Control)/2+1] {
					all = append(all, Injection{Kind: StopUnit, Host: host, Unit: provision.RoleZooKeeper})
				}
				return all
			},
			// Longer than the sessions of masters and Marathon (10 s), shorter than the controller's lock bears (19 s).
			Until: UntilHeld, Hold: 13 * time.Second,
			Bears:           []string{probe.ZooKeeper, probe.Mesos, probe.Marathon, probe.Task, probe.Framework},
			KeepsController: true, WithBuild: true, Recovery: 2 * time.Minute},
	}
}

func ofHosts() []Scenario {
	return []Scenario{
		{Name: "network-cut", Title: "Network cut between the controller's host and the control hosts",
			Hypothesis: "the old controller ends before another one begins; when the network is back there is exactly one owner",
			Blast: func(f Facts) string {
				return "Jenkins is away until Mesos has given " + f.Controller + " up or the network is back; running builds are lost"
			},
			Unavailable: func(f Facts) string { return f.CanCut },
			Faults: func(f Facts) []Injection {
				return []Injection{{Kind: Cut, Host: f.Controller, Peers: controlPeers(f), Limit: 3 * time.Minute}}
			},
			Until: UntilHeld, Hold: 45 * time.Second, Bears: serving(), LosesBuild: true, Recovery: 4 * time.Minute},
		{Name: "control-host-rebooted", Title: "Control host with the leading master rebooted",
			Hypothesis: "the others take over, and the host joins again; the controller does not notice",
			Blast: func(f Facts) string {
				return "what " + f.MasterLeader + " leads moves to other hosts; its edge is away" + edgeNote(f)
			},
			Unavailable: either(needsThree, func(f Facts) string { return f.CanPower }, mixedRoles),
			Faults:      func(f Facts) []Injection { return []Injection{{Kind: PowerOff, Host: f.MasterLeader}} },
			Until:       UntilHeld, Hold: 5 * time.Second,
			Bears:           []string{probe.ZooKeeper, probe.Mesos, probe.Marathon, probe.Task, probe.Framework, probe.Edge, probe.API},
			KeepsController: true, Recovery: 2 * time.Minute},
	}
}

func ofHome() []Scenario {
	return []Scenario{
		{Name: homeDeleted, Title: "Home gone from the host's disk",
			Hypothesis: "the controller starts on a home that is restored from its history, with all configurations that were pushed",
			Blast: func(f Facts) string {
				return "Jenkins runs for some minutes on a home without builds and secrets, which come back in a second restart"
			},
			Unavailable: func(f Facts) string {
				switch {
				case f.Git == "":
					return "the home has no history: name a git repository in jenkins.scm"
				case f.HomeMounted:
					return "a disk is mounted at the home itself, which cannot be moved aside: mount it one folder above"
				}
				return ""
			},
			Refused: func(f Facts) string {
				if !f.Kept {
					return "the history does not have everything of the home yet, which would be its last copy: see `jomctl home status`"
				}
				return ""
			},
			Faults: func(f Facts) []Injection {
				return []Injection{{Kind: HomeAway, Host: f.Controller, Task: f.Task, Path: f.Home, To: f.History}}
			},
			// Git keeps no builds: the one that the drill has made comes back with the home only.
			Until: UntilRecovered, Bears: serving(), LosesBuild: true, Builds: 1, Recovery: 2 * time.Minute},
		{Name: "home-disk-full", Title: "Disk of the home full",
			Hypothesis: "what was saved stays; when there is room again saving works without a restart",
			Blast:      func(f Facts) string { return "nothing can be saved on " + f.Controller + " for 20 s; builds may fail" },
			Unavailable: func(f Facts) string {
				if !f.OwnDisk {
					return "the home shares its disk with other things, which a full disk would hit, too"
				}
				return ""
			},
			Faults: func(f Facts) []Injection { return []Injection{{Kind: FillDisk, Host: f.Controller, Path: f.Home}} },
			Until:  UntilHeld, Hold: 20 * time.Second, Bears: serving(), LosesBuild: true, Recovery: restartTarget},
		{Name: "git-unreachable", Title: "Repository of the home's history unreachable",
			Hypothesis:  "Jenkins goes on; what was saved meanwhile is pushed when the repository is back",
			Blast:       func(f Facts) string { return "what is saved meanwhile is on one disk only" },
			Unavailable: gitUnavailable,
			Faults: func(f Facts) []Injection {
				if f.GitPath != "" {
					return []Injection{{Kind: Move, Host: gitHost(f), Path: f.GitPath, To: f.GitPath + ".jomctl-drill"}}
				}
				// The port alone: its server may be a host of the cluster, or the machine that jomctl runs on.
				return []Injection{{Kind: Cut, Host: f.Controller, Peers: f.GitPeers, Port: f.GitPort, Limit: 3 * time.Minute}}
			},
			Until: UntilHeld, Hold: 15 * time.Second, KeepsController: true, SavesMeanwhile: true, WithBuild: true, Recovery: restartTarget},
	}
}

func ofSurroundings() []Scenario {
	return []Scenario{
		{Name: "registry-unreachable", Title: "Image registry unreachable while the controller starts",
			Hypothesis: "the controller starts from the image on its host",
			Blast:      func(f Facts) string { return "Jenkins is away for one start; running builds are lost" },
			Unavailable: func(f Facts) string {
				switch {
				case f.Registry == "":
					return "the cluster has no registry of its own"
				case !f.Contained:
					return "the controller does not run in a container"
				}
				return ""
			},
			Faults: func(f Facts) []Injection {
				return []Injection{{Kind: StopUnit, Host: f.Registry, Unit: provision.RoleRegistry}, {Kind: KillController, Host: f.Controller, Task: f.Task}}
			},
			Until: UntilRecovered, Bears: serving(), LosesBuild: true, Recovery: restartTarget},
		{Name: "edge-killed", Title: "Edge killed",
			Hypothesis: "the edge is back within seconds; the controller does not notice",
			Blast: func(f Facts) string {
				return "people who come through " + f.Control[0] + " see errors for some seconds"
			},
			Faults: func(f Facts) []Injection {
				return []Injection{{Kind: KillUnit, Host: f.Control[0], Unit: provision.RoleEdge}}
			},
			Bears:           []string{probe.Edge, probe.API, probe.Framework},
			KeepsController: true, WithBuild: true, LosesBuild: true, Recovery: leaderTarget},
		{Name: "build-agent-killed", Title: "Build agent killed in the middle of a build",
			Hypothesis:      "that build fails, Jenkins forgets the agent, and the next build runs",
			Blast:           func(f Facts) string { return "one build of the drill's own is lost" },
			Faults:          func(f Facts) []Injection { return []Injection{{Kind: KillTask, Host: f.BuildHost, Task: f.BuildTask}} },
			KeepsController: true, WithBuild: true, LosesBuild: true, Recovery: leaderTarget},
	}
}
