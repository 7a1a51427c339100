package jenkins

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// Pending is a build that runs, or an item of the queue.
type Pending struct {
	// Job is the full name, with slashes between folders. Number is 0 for an item of the queue, Item 0 for a build.
	Job          string
	Number, Item int64
	Params       map[string]string
	// Causes are the sentences that Jenkins shows.
	Causes []string
	// Secret says that the value of a parameter is not shown, so that the build cannot be asked for again as it was.
	Secret bool
	// Resumes says that it is a Pipeline, which goes on after a restart.
	Resumes bool
}

type pendingAction struct {
	Parameters []struct {
		Name  string          `json:"name"`
		Value json.RawMessage `json:"value"`
	} `json:"parameters"`
	Causes []struct {
		Text string `json:"shortDescription"`
	} `json:"causes"`
}

const pendingActions = "actions[parameters[name,value],causes[shortDescription]]"

func (p *Pending) read(actions []pendingAction) {
	for _, action := range actions {
		for _, param := range action.Parameters {
			if p.Params == nil {
				p.Params = map[string]string{}
			}
			if len(param.Value) == 0 || string(param.Value) == "null" {
				p.Secret = true
				continue
			}
			var text string
			if json.Unmarshal(param.Value, &text) != nil {
				text = string(param.Value) // a number or a truth
			}
			p.Params[param.Name] = text
		}
		for _, cause := range action.Causes {
			p.Causes = append(p.Causes, cause.Text)
		}
	}
}

// Work lists what runs now, each build once, and what waits.
func (c *Client) Work(ctx context.Context) (running, queued []Pending, err error) {
	const op = "list what runs and what waits"
	var computers struct {
		Computer []struct {
			Executors, OneOffExecutors []struct {
				Current *struct {
					Class   string          `json:"_class"`
					URL     string          `json:"url"`
					Number  int64           `json:"number"`
					Actions []pendingAction `json:"actions"`
				} `json:"currentExecutable"`
			}
		} `json:"computer"`
	}
	executable := "[currentExecutable[url,number," + pendingActions + "]]"
	if _, err := c.getJSON(ctx, "/computer/api/json?tree=computer[executors"+executable+",oneOffExecutors"+executable+"]", &computers); err != nil {
		return nil, nil, c.failed(op, err)
	}
	seen := map[string]bool{}
	for _, computer := range computers.Computer {
		for _, e := range append(computer.Executors, computer.OneOffExecutors...) {
			if e.Current == nil || e.Current.URL == "" || seen[e.Current.URL] {
				continue
			}
			seen[e.Current.URL] = true
			class := strings.ToLower(e.Current.Class)
			build := Pending{Job: jobOf(e.Current.URL), Number: e.Current.Number, Resumes: strings.Contains(class, "workflow")}
			build.read(e.Current.Actions)
			running = append(running, build)
		}
	}
	var queue struct {
		Items []struct {
			ID   int64 `json:"id"`
			Task struct {
				URL string `json:"url"`
			} `json:"task"`
			Actions []pendingAction `json:"actions"`
		} `json:"items"`
	}
	if _, err := c.getJSON(ctx, "/queue/api/json?tree=items[id,task[url],"+pendingActions+"]", &queue); err != nil {
		return nil, nil, c.failed(op, err)
	}
	for _, i := range queue.Items {
		item := Pending{Job: jobOf(i.Task.URL), Item: i.ID}
		item.read(i.Actions)
		queued = append(queued, item)
	}
	return running, queued, nil
}

// jobOf is the full name of the job in a URL: .../job/folder/job/name/7/ is folder/name.
func jobOf(address string) string {
	_, path, _ := strings.Cut(address, "/job/")
	parts := strings.Split(strings.Trim(path, "/"), "/")
	names := []string{}
	for i := 0; i < len(parts); i += 2 {
		name, err := url.PathUnescape(parts[i])
		if err != nil {
			name = parts[i]
		}
		names = append(names, name)
		if i+1 >= len(parts) || parts[i+1] != "job" {
			break
		}
	}
	return strings.Join(names, "/")
}

// jobPath is the path of a job by its full name.
func jobPath(name string) string {
	var b strings.Builder
	for part := range strings.SplitSeq(name, "/") {
		b.WriteString("/job/" + url.PathEscape(part))
	}
	return b.String()
}

// StopBuild ends a running build; one that is over, or gone, is no error.
func (c *Client) StopBuild(ctx context.Context, job string, number int64) error {
	_, err := c.post(ctx, fmt.Sprintf("%s/%d/stop", jobPath(job), number), nil)
	if IsNotFound(err) {
		return nil
	}
	return c.failed(fmt.Sprintf("stop build %d of %s", number, job), err)
}

// Ask asks for a build by the job's full name, with the parameters, without the quiet period. A job that waits with the same parameters is
// not asked for a second time by Jenkins itself.
func (c *Client) Ask(ctx context.Context, job string, params map[string]string) error {
	form, action := url.Values{"delay": {"0sec"}}, "/build"
	for name, value := range params {
		form.Set(name, value)
		action = "/buildWithParameters"
	}
	_, err := c.post(ctx, jobPath(job)+action, form)
	return c.failed("ask for a build of "+job, err)
}

// SystemMessage is the message above everything, empty where there is none.
func (c *Client) SystemMessage(ctx context.Context) (string, error) {
	var root struct {
		Description string `json:"description"`
	}
	_, err := c.getJSON(ctx, "/api/json?tree=description", &root)
	return root.Description, c.failed("read the system message", err)
}

// SetSystemMessage replaces the message above everything, through the JCasC plugin.
func (c *Client) SetSystemMessage(ctx context.Context, text string) error {
	return c.CascApply(ctx, []byte("jenkins:\n  systemMessage: "+quote(text)+"\n"))
}

// CascApply applies a JCasC document, which changes what it mentions and nothing else.
func (c *Client) CascApply(ctx context.Context, yaml []byte) error {
	r := call{method: http.MethodPost, path: "/configuration-as-code/apply", contentType: "text/plain", body: string(yaml)}
	_, err := c.do(ctx, r)
	if IsNotFound(err) {
		r.path = "/configuration-as-code/configure" // as some versions call it
		_, err = c.do(ctx, r)
	}
	return c.failed("apply a configuration", err)
}

// FailedPlugins names the plugins that could not be loaded, of which the list of plugins says nothing. A stand-in, which runs no script,
// has none.
func (c *Client) FailedPlugins(ctx context.Context) ([]string, error) {
	answer, err := c.post(ctx, "/scriptText", url.Values{"script": {`Jenkins.instance.pluginManager.failedPlugins.each { println("FAILED " + it.name) }; println("END")`}})
	var status *StatusError
	if errors.As(err, &status) && status.Code == http.StatusNotImplemented {
		return nil, nil
	}
	if err == nil && !strings.Contains(string(answer.body), "END") {
		err = fmt.Errorf("the script did not end: %s", strings.TrimSpace(string(answer.body)))
	}
	var names []string
	for line := range strings.Lines(string(answer.body)) {
		if name, failed := strings.CutPrefix(strings.TrimSpace(line), "FAILED "); failed {
			names = append(names, name)
		}
	}
	return names, c.failed("list the plugins that could not be loaded", err)
}
