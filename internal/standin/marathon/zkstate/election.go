package zkstate

import (
	"errors"
	"fmt"
	"sort"
	"strings"
	"sync"

	"github.com/go-zookeeper/zk"
	"github.com/google/uuid"
)

// ErrSameID says that another participant of the election has the same id: mostly the stale node of the process before.
var ErrSameID = errors.New("Multiple election participants have the same id")

// Election is a participation in Marathon's leader election (Curator's latch nodes below leader-curator).
type Election struct {
	conn   *Conn
	dir    string
	node   string
	id     string
	mu     sync.Mutex
	leader string
	won    chan struct{}
	lost   chan struct{}
	isWon  bool
}

// Join adds a participant; id is host:port. It returns ErrSameID (wrapped) when that id takes part already.
func Join(conn *Conn, root, id string) (*Election, error) {
	e := &Election{conn: conn, dir: join(root, "leader-curator"), id: id, won: make(chan struct{}), lost: make(chan struct{})}
	if err := conn.MakeDirs(e.dir); err != nil {
		return nil, err
	}
	full, err := conn.Create(join(e.dir, "_c_"+uuid.NewString()+"-latch-"), []byte(id), zk.FlagEphemeral|zk.FlagSequence, zk.WorldACL(zk.PermAll))
	if err != nil {
		return nil, fmt.Errorf("join the election in %s: %w", e.dir, err)
	}
	e.node = full[strings.LastIndex(full, "/")+1:]
	watch, err := e.look()
	if err != nil {
		if errors.Is(err, ErrSameID) {
			_ = conn.Delete(full, -1)
		}
		return nil, err
	}
	go e.follow(watch)
	return e, nil
}

// Won is closed when this participant leads.
func (e *Election) Won() <-chan struct{} { return e.won }

// Lost is closed when this participant's node is gone, or ZooKeeper cannot be asked any more.
func (e *Election) Lost() <-chan struct{} { return e.lost }

// Leader is the id of the leader, empty if there is none.
func (e *Election) Leader() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.leader
}

// Resign takes the participant's node away.
func (e *Election) Resign() { _ = e.conn.Delete(join(e.dir, e.node), -1) }

func (e *Election) follow(watch <-chan zk.Event) {
	for {
		<-watch
		var err error
		if watch, err = e.look(); err != nil {
			e.mu.Lock()
			e.leader = ""
			e.mu.Unlock()
			close(e.lost)
			return
		}
	}
}

func (e *Election) look() (<-chan zk.Event, error) {
	names, _, watch, err := e.conn.ChildrenW(e.dir)
	if err != nil {
		return nil, fmt.Errorf("list the election's participants: %w", err)
	}
	sort.Slice(names, func(i, j int) bool { return sequence(names[i]) < sequence(names[j]) })
	leader, mine := "", false
	for _, name := range names {
		data, _, err := e.conn.Get(join(e.dir, name))
		if err == zk.ErrNoNode {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read a participant of the election: %w", err)
		}
		if leader == "" {
			leader = string(data)
			if name == e.node && !e.isWon {
				e.isWon = true
				defer close(e.won)
			}
		}
		mine = mine || name == e.node
		if name != e.node && string(data) == e.id {
			return nil, fmt.Errorf("%w: %s", ErrSameID, e.id)
		}
	}
	if !mine {
		return nil, errors.New("this participant's node is gone")
	}
	e.mu.Lock()
	e.leader = leader
	e.mu.Unlock()
	return watch, nil
}

func sequence(name string) string { return name[strings.LastIndex(name, "-")+1:] }
