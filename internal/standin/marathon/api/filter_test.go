package api

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/standin/marathon/spec"
)

func apps() []*spec.App {
	app := func(id, cmd string, labels map[string]string) *spec.App {
		return &spec.App{ID: id, Cmd: &cmd, Labels: labels}
	}
	return []*spec.App{
		app("/solo", "SLEEP 5000000", map[string]string{}),
		app("/prod/web", "sleep 100000", map[string]string{"env": "prod", "tier": "front"}),
		app("/prod/db", "sleep 100000", map[string]string{"env": "prod", "tier": "back"}),
		app("/dev/web", "sleep 100000", map[string]string{"env": "dev"}),
		{ID: "/none"},
	}
}

func TestSelectors(t *testing.T) {
	for query, want := range map[string][]string{
		"":                               {"/solo", "/prod/web", "/prod/db", "/dev/web", "/none"},
		"cmd=sleep":                      {"/solo", "/prod/web", "/prod/db", "/dev/web"},
		"cmd=sleep&id=db":                {"/prod/db"},
		"id=WEB":                         {"/prod/web", "/dev/web"},
		"id=web&label=env==dev":          {"/dev/web"},
		"label=tier":                     {"/prod/web", "/prod/db"},
		"label=env%20notin%20(prod)":     {"/dev/web"},
		"label=env%20in%20(prod,%20dev)": {"/prod/web", "/prod/db", "/dev/web"},
		"label=env==prod,tier==front":    {"/prod/web"},
		"label=env!=prod":                {"/dev/web"},
		"label=":                         {"/solo", "/prod/web", "/prod/db", "/dev/web", "/none"},
		"bogus=1&id=solo":                {"/solo"},
	} {
		values, err := url.ParseQuery(query)
		require.NoError(t, err)
		filter, err := appFilter(values)
		require.NoError(t, err, query)
		var got []string
		for _, app := range apps() {
			if filter(app) {
				got = append(got, app.ID)
			}
		}
		assert.Equal(t, want, got, query)
	}
}

func TestSelectorsThatCannotBeRead(t *testing.T) {
	for _, label := range []string{"env==prod, !nosuch", "env in", "((("} {
		_, err := appFilter(url.Values{"label": {label}})
		assert.EqualError(t, err, "Can not parse label selector "+label+". Reason: end of input expected")
	}
}
