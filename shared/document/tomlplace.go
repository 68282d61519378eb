package document

import (
	"slices"
	"strconv"

	"github.com/pelletier/go-toml/v2/unstable"
)

// locateTOML reads a document from its beginning and notes where each value of the
// path stands, since a table may be written in several pieces.
func locateTOML(body []byte, path []string) (int, bool) {
	w := tomlWalk{path: path, elements: map[string]int{}, deepest: -1}
	w.parser.Reset(body)
	var table []string
	for w.parser.NextExpression() {
		switch n := w.parser.Expression(); n.Kind {
		case unstable.Table:
			keys, at := w.keys(n.Key())
			table = w.resolve(keys)
			w.note(table, at)
		case unstable.ArrayTable:
			keys, at := w.keys(n.Key())
			above := w.resolve(keys[:len(keys)-1])
			array := append(slices.Clone(above), keys[len(keys)-1])
			w.note(array, at)
			id := Pointer(array)
			w.elements[id]++
			table = append(slices.Clone(array), strconv.Itoa(w.elements[id]-1))
			w.note(table, at)
		case unstable.KeyValue:
			w.member(table, n)
		}
	}
	return w.offset, w.parser.Error() == nil
}

// A tomlWalk looks for a path.
type tomlWalk struct {
	parser   unstable.Parser
	path     []string
	elements map[string]int // how many each array of tables has so far
	deepest  int            // how much of the path was found
	offset   int            // where that stands
}

// note takes a place that is on the path, and further along it than any before.
func (w *tomlWalk) note(at []string, offset int) {
	if len(at) > w.deepest {
		w.refine(at, offset)
	}
}

// refine takes a place also in the stead of one that is as far along: that of a
// value for that of its key.
func (w *tomlWalk) refine(at []string, offset int) {
	if len(at) < w.deepest || len(at) > len(w.path) || offset < 0 {
		return
	}
	for i, step := range at {
		if w.path[i] != step {
			return
		}
	}
	w.deepest, w.offset = len(at), offset
}

// keys are the parts of a dotted key, and where it begins.
func (w *tomlWalk) keys(parts unstable.Iterator) (keys []string, offset int) {
	offset = -1
	for parts.Next() {
		part := parts.Node()
		if offset < 0 {
			offset = int(part.Raw.Offset)
		}
		keys = append(keys, string(part.Data))
	}
	return keys, offset
}

// resolve is a table's path: what names an array of tables means its last element.
func (w *tomlWalk) resolve(keys []string) []string {
	var at []string
	for _, key := range keys {
		at = append(at, key)
		if n := w.elements[Pointer(at)]; n > 0 {
			at = append(at, strconv.Itoa(n-1))
		}
	}
	return at
}

func (w *tomlWalk) member(table []string, n *unstable.Node) {
	keys, offset := w.keys(n.Key())
	at := append(append([]string{}, table...), keys...)
	for i := range keys {
		w.note(at[:len(table)+i+1], offset)
	}
	w.value(at, n.Value())
}

func (w *tomlWalk) value(at []string, n *unstable.Node) {
	if n.Raw.Length > 0 {
		w.refine(at, int(n.Raw.Offset))
	}
	children := n.Children()
	for i := 0; children.Next(); i++ {
		child := children.Node()
		switch n.Kind {
		case unstable.Array:
			w.value(append(at[:len(at):len(at)], strconv.Itoa(i)), child)
		case unstable.InlineTable:
			w.member(at, child)
		}
	}
}
