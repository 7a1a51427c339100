package linkcheck

import (
	"hash/maphash"
	"strings"
	"sync"
)

// symbol stands for a name of a class or member, or for a descriptor; 0 is the empty one. Equal names have equal symbols.
type symbol uint32

const (
	partBits  = 6
	nameChunk = 64 << 10
)

// names keeps one copy of each name: most are repeated in every class. Its methods may be called at the same time.
type names struct {
	seed  maphash.Seed
	parts [1 << partBits]namesPart
}

// namesPart is a hash table with open addressing for a share of the names.
type namesPart struct {
	mu    sync.Mutex
	slots []uint64 // 32 bits of the hash, and the number of a text and 1; 0 for a free one
	texts []string
	chunk strings.Builder // in which the texts are; it never grows, and is left when it is full
}

func newNames() *names { return &names{seed: maphash.MakeSeed()} }

// of gives the symbol of a name.
func (n *names) of(name []byte) symbol {
	if len(name) == 0 {
		return 0
	}
	hash := maphash.Bytes(n.seed, name)
	p := &n.parts[hash>>(64-partBits)]
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.texts)*4 >= len(p.slots)*3 {
		p.grow(n.seed)
	}
	i := p.slot(hash, name)
	if p.slots[i] == 0 {
		p.texts = append(p.texts, p.keep(name))
		p.slots[i] = hash<<32 | uint64(len(p.texts))
	}
	return symbol(uint32(p.slots[i])<<partBits) | symbol(hash>>(64-partBits))
}

// known gives the symbol of a name that may have none: 0 then.
func (n *names) known(name string) symbol {
	hash := maphash.String(n.seed, name)
	p := &n.parts[hash>>(64-partBits)]
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.slots) == 0 {
		return 0
	}
	if slot := p.slots[p.slot(hash, []byte(name))]; slot != 0 {
		return symbol(uint32(slot)<<partBits) | symbol(hash>>(64-partBits))
	}
	return 0
}

// text gives the name of a symbol.
func (n *names) text(s symbol) string {
	if s == 0 {
		return ""
	}
	p := &n.parts[s&(1<<partBits-1)]
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.texts[s>>partBits-1]
}

// slot is where a name is, or the free slot where it belongs.
func (p *namesPart) slot(hash uint64, name []byte) int {
	mask := len(p.slots) - 1
	for i := int(hash) & mask; ; i = (i + 1) & mask {
		slot := p.slots[i]
		if slot == 0 || slot>>32 == hash&(1<<32-1) && p.texts[uint32(slot)-1] == string(name) {
			return i
		}
	}
}

func (p *namesPart) grow(seed maphash.Seed) {
	p.slots = make([]uint64, max(256, 2*len(p.slots)))
	mask := len(p.slots) - 1
	for number, text := range p.texts {
		hash := maphash.String(seed, text)
		i := int(hash) & mask
		for p.slots[i] != 0 {
			i = (i + 1) & mask
		}
		p.slots[i] = hash<<32 | uint64(number+1)
	}
}

func (p *namesPart) keep(name []byte) string {
	if p.chunk.Len()+len(name) > p.chunk.Cap() {
		p.chunk = strings.Builder{}
		p.chunk.Grow(max(nameChunk, len(name)))
	}
	start := p.chunk.Len()
	p.chunk.Write(name)
	return p.chunk.String()[start:]
}
