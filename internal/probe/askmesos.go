package probe

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// FrameworkState is the registration of Jenkins with Mesos.
type FrameworkState struct {
	ID, Name string
	Active   bool
	// Since is when it registered, or registered anew, last.
	Since time.Time
	// Same is how many live frameworks have this name: more than one means that somebody else registered, too.
	Same int
}

// rawFramework is a framework of Mesos' operator API; times are nanoseconds, which its JSON writes as numbers or as text.
type rawFramework struct {
	Active bool `json:"active"`
	Info   struct {
		Name string `json:"name"`
		ID   struct {
			Value string `json:"value"`
		} `json:"id"`
	} `json:"framework_info"`
	Registered   struct{ Nanoseconds json.Number } `json:"registered_time"`
	Reregistered struct{ Nanoseconds json.Number } `json:"reregistered_time"`
}

func (r rawFramework) since() time.Time {
	var latest int64
	for _, n := range []json.Number{r.Registered.Nanoseconds, r.Reregistered.Nanoseconds} {
		if ns, err := n.Int64(); err == nil {
			latest = max(latest, ns)
		}
	}
	if latest == 0 {
		return time.Time{}
	}
	return time.Unix(0, latest)
}

// askMesos asks for the frameworks, which only the leading master answers.
func (p *Prober) askMesos(ctx context.Context) []Sample {
	began := time.Now()
	var mu sync.Mutex
	var frameworks []rawFramework
	leader, err := p.anyOf(ctx, Mesos, p.config.Masters, func(ctx context.Context, master string) error {
		got, err := p.send(ctx, http.MethodPost, "http://"+master+"/api/v1", `{"type":"GET_FRAMEWORKS"}`, false)
		if err != nil {
			return err
		}
		if got.code != http.StatusOK {
			return fmt.Errorf("HTTP %d", got.code)
		}
		var body struct {
			Get struct {
				Frameworks []rawFramework `json:"frameworks"`
			} `json:"get_frameworks"`
		}
		if err := json.Unmarshal(got.body, &body); err != nil {
			return fmt.Errorf("not the JSON that was expected: %w", err)
		}
		mu.Lock()
		defer mu.Unlock()
		frameworks = body.Get.Frameworks
		return nil
	})
	mesos := Sample{Target: Mesos, At: began, Took: time.Since(began), OK: err == nil, Value: leader}
	framework := Sample{Target: Framework, At: began, Took: mesos.Took}
	if err != nil {
		mesos.Value, mesos.Detail = "", errText(err)
		framework.Detail = "no master leads"
	} else {
		p.judgeFrameworks(&framework, frameworks)
	}
	return []Sample{mesos, framework}
}

func (p *Prober) judgeFrameworks(s *Sample, frameworks []rawFramework) {
	state := FrameworkState{}
	for _, f := range frameworks {
		if f.Info.Name == p.config.FrameworkName || f.Info.ID.Value == p.config.FrameworkID {
			state.Same++
		}
		if f.Info.ID.Value == p.config.FrameworkID {
			state.ID, state.Name, state.Active, state.Since = f.Info.ID.Value, f.Info.Name, f.Active, f.since()
		}
	}
	switch {
	case state.ID == "" && state.Same == 0:
		s.Detail = "not registered"
		return
	case state.ID == "":
		s.Detail = "registered with another id"
	case !state.Active:
		s.Detail = "not active"
	default:
		s.OK = true
	}
	s.Framework = &state
	s.Value = fmt.Sprintf("%s@%d", state.ID, state.Since.UnixMilli())
}

// askZooKeeper asks all servers: there is a quorum when one of them leads and more than half serve.
func (p *Prober) askZooKeeper(ctx context.Context) []Sample {
	return one(ZooKeeper, func() (bool, string, string) {
		modes := make([]string, len(p.config.ZooKeepers))
		var group sync.WaitGroup
		for i, address := range p.config.ZooKeepers {
			group.Go(func() { modes[i] = p.zooKeeperMode(ctx, address) })
		}
		group.Wait()
		serving, leader := 0, ""
		for i, mode := range modes {
			if mode != "" {
				serving++
			}
			if mode == "leader" || mode == "standalone" && len(modes) == 1 {
				leader = p.config.ZooKeepers[i]
			}
		}
		detail := ""
		if serving < len(modes) {
			detail = fmt.Sprintf("%d of %d serve", serving, len(modes))
		}
		return leader != "" && serving > len(modes)/2, leader, detail
	})
}

// zooKeeperMode is leader, follower or standalone; empty for a server that does not serve.
func (p *Prober) zooKeeperMode(ctx context.Context, address string) string {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	conn, err := p.config.Dial(ctx, "tcp", address)
	if err != nil {
		return ""
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if _, err := io.WriteString(conn, "srvr"); err != nil {
		return ""
	}
	text, _ := io.ReadAll(io.LimitReader(conn, 64<<10)) // what came is looked at, also when the end was cut off
	for line := range strings.Lines(string(text)) {
		if mode, found := strings.CutPrefix(line, "Mode: "); found {
			return strings.TrimSpace(mode)
		}
	}
	return ""
}
