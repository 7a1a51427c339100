package marathon

import (
	"testing"

	"github.com/jomctl/jomctl/internal/standin/marathon/contract"
	"github.com/jomctl/jomctl/internal/testkit"
)

func TestContract(t *testing.T) {
	t.Parallel()
	z := testkit.StartZooKeeper(t)
	c := newCluster(t)
	p := launch(t, z.Addr, "http://"+c.addr)
	p.ready()
	contract.Run(t, contract.Program{URL: p.url, Patience: patience, EndTask: c.endTask, Restart: func(t *testing.T) {
		p.kill()
		p.comeBack()
	}})
}
