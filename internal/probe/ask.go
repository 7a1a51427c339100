package probe

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const maxAnswer = 4 << 20

// answer is an HTTP answer with its whole body.
type answer struct {
	code   int
	header http.Header
	body   []byte
}

func (p *Prober) send(ctx context.Context, method, url, body string, login bool) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader([]byte(body)))
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("Accept", "application/json")
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if login && p.config.Login != nil {
		user, password, err := p.config.Login()
		if err != nil {
			return answer{}, fmt.Errorf("reading the login: %w", err)
		}
		if user != "" {
			req.SetBasicAuth(user, password)
		}
	}
	response, err := p.http.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	data, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	return answer{response.StatusCode, response.Header, data}, err
}

// one frames a question about one target.
func one(target string, ask func() (ok bool, value, detail string)) []Sample {
	s := Sample{Target: target, At: time.Now()}
	s.OK, s.Value, s.Detail = ask()
	s.Took = time.Since(s.At)
	return []Sample{s}
}

func (p *Prober) askEdge(ctx context.Context) []Sample {
	return one(Edge, func() (bool, string, string) { return p.login(ctx, p.config.URL) })
}

// login asks a controller's first page, which needs no account.
func (p *Prober) login(ctx context.Context, base string) (ok bool, value, detail string) {
	got, err := p.send(ctx, http.MethodGet, strings.TrimRight(base, "/")+"/login", "", false)
	switch {
	case err != nil:
		return false, "", errText(err)
	case got.code == http.StatusOK:
		return true, got.header.Get("X-Jenkins-Session"), ""
	case got.code == http.StatusServiceUnavailable && (got.header.Get("X-Jenkins") != "" || bytes.Contains(got.body, []byte("Jenkins"))):
		return false, "", "starting"
	}
	return false, "", "HTTP " + strconv.Itoa(got.code)
}

// askAPI asks as a stranger: a refusal by Jenkins itself proves that it works, and costs no check of a password.
func (p *Prober) askAPI(ctx context.Context) []Sample {
	return one(API, func() (bool, string, string) {
		got, err := p.send(ctx, http.MethodGet, strings.TrimRight(p.config.URL, "/")+"/api/json", "", false)
		if err != nil {
			return false, "", errText(err)
		}
		version := got.header.Get("X-Jenkins")
		// A 401 and a 403 are Jenkins' own, as the edge knows neither; a 401 has no X-Jenkins.
		if got.code == http.StatusForbidden || got.code == http.StatusUnauthorized || version != "" && got.code == http.StatusOK {
			return true, version, ""
		}
		return false, "", "HTTP " + strconv.Itoa(got.code)
	})
}

// at is the host to ask for the controller.
func (p *Prober) at() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.host
}

func (p *Prober) moved(host string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.host = host
}

func (p *Prober) askController(ctx context.Context) []Sample {
	return one(Controller, func() (bool, string, string) {
		return p.login(ctx, "http://"+net.JoinHostPort(p.at(), strconv.Itoa(p.config.HTTPPort)))
	})
}

func (p *Prober) askAgentPort(ctx context.Context) []Sample {
	return one(AgentPort, func() (bool, string, string) {
		address := net.JoinHostPort(p.at(), strconv.Itoa(p.config.AgentPort))
		ctx, cancel := context.WithTimeout(ctx, dialTimeout)
		defer cancel()
		conn, err := p.config.Dial(ctx, "tcp", address)
		if err != nil {
			return false, "", errText(err)
		}
		_ = conn.Close()
		return true, address, ""
	})
}

// anyOf asks the member that served last, and all others at the same time when that does not serve any more.
func (p *Prober) anyOf(ctx context.Context, ensemble string, members []string, ask func(context.Context, string) error) (serving string, err error) {
	p.mu.Lock()
	first := p.first[ensemble]
	p.mu.Unlock()
	err = ask(ctx, members[first])
	if err == nil || len(members) == 1 || ctx.Err() != nil {
		return members[first], err
	}
	errs := make([]error, len(members))
	var group sync.WaitGroup
	for i, member := range members {
		if i != first {
			group.Go(func() { errs[i] = ask(ctx, member) })
		}
	}
	group.Wait()
	errs[first] = err
	for i, member := range members {
		if errs[i] == nil {
			p.mu.Lock()
			p.first[ensemble] = i
			p.mu.Unlock()
			return member, nil
		}
	}
	return "", err
}

// askMarathon asks for the tasks of the app, which any Marathon that knows its leader answers.
func (p *Prober) askMarathon(ctx context.Context) []Sample {
	began := time.Now()
	var mu sync.Mutex
	var tasks []AppTask
	found := false
	serving, err := p.anyOf(ctx, Marathon, p.config.Marathons, func(ctx context.Context, base string) error {
		got, err := p.send(ctx, http.MethodGet, strings.TrimRight(base, "/")+"/v2/apps"+p.config.AppID+"/tasks", "", true)
		if err != nil {
			return err
		}
		var body struct{ Tasks []AppTask }
		// A Marathon without a leader answers 404 in HTML, too.
		err = json.Unmarshal(got.body, &body)
		if err != nil && got.code == http.StatusOK {
			return fmt.Errorf("not the JSON that was expected: %w", err)
		}
		if err != nil || got.code != http.StatusOK && got.code != http.StatusNotFound {
			return fmt.Errorf("HTTP %d", got.code)
		}
		mu.Lock()
		defer mu.Unlock()
		tasks, found = body.Tasks, got.code == http.StatusOK
		return nil
	})
	marathon := Sample{Target: Marathon, At: began, Took: time.Since(began), OK: err == nil, Value: serving}
	if err != nil {
		marathon.Detail = errText(err)
		return []Sample{marathon} // nothing is known of the task
	}
	task := Sample{Target: Task, At: began, Took: marathon.Took, Tasks: tasks}
	p.judgeTasks(&task, found)
	return []Sample{marathon, task}
}

func (p *Prober) judgeTasks(s *Sample, found bool) {
	running := slices.DeleteFunc(slices.Clone(s.Tasks), func(t AppTask) bool { return !t.Running() })
	switch {
	case !found:
		s.Detail = "there is no app " + p.config.AppID
	case len(running) == 1:
		s.OK, s.Value = true, running[0].ID
		p.moved(running[0].Host)
	case len(running) > 1:
		s.Detail = fmt.Sprintf("%d tasks run, there must be one", len(running))
		p.moved(running[len(running)-1].Host)
	case len(s.Tasks) > 0:
		s.Detail = s.Tasks[len(s.Tasks)-1].State
	default:
		s.Detail = "no task"
	}
}
