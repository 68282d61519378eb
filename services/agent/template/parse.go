package template

import (
	"context"
	"fmt"
	"slices"
	"text/template"
	"text/template/parse"

	"github.com/heraldconf/herald/shared/config"
)

// parseTemplate returns a template that is bounded in time, and the namespaces of
// the configs that it names. name is how errors call it.
func parseTemplate(name, text string) (*template.Template, []config.Name, error) {
	t, err := template.New(name).Option("missingkey=error").
		Funcs(functions()).Funcs(bound(context.Background(), nil)).Parse(text)
	if err != nil {
		return nil, nil, err
	}
	w := walker{}
	for _, each := range t.Templates() {
		if each.Tree != nil && each.Root != nil {
			w.tree = each.Tree
			w.list(each.Root)
			w.tick(each.Root)
		}
	}
	if w.err != nil {
		return nil, nil, w.err
	}
	slices.Sort(w.namespaces)
	return t, slices.Compact(w.namespaces), nil
}

// A walker looks through a template: which configs it names, and where it could
// go on for ever.
type walker struct {
	tree       *parse.Tree
	namespaces []config.Name
	err        error
}

// tick makes a body ask, each time it is begun, whether time is up: a template
// cannot be stopped from outside, and a loop may print nothing.
func (w *walker) tick(body *parse.ListNode) {
	call := &parse.CommandNode{NodeType: parse.NodeCommand, Pos: body.Pos, Args: []parse.Node{
		parse.NewIdentifier(functionTick).SetPos(body.Pos).SetTree(w.tree),
	}}
	body.Nodes = slices.Insert(body.Nodes, 0, parse.Node(&parse.ActionNode{NodeType: parse.NodeAction, Pos: body.Pos, Pipe: &parse.PipeNode{
		NodeType: parse.NodePipe, Pos: body.Pos, Cmds: []*parse.CommandNode{call},
	}}))
}

func (w *walker) list(list *parse.ListNode) {
	if list == nil {
		return
	}
	for _, node := range list.Nodes {
		switch n := node.(type) {
		case *parse.ActionNode:
			w.pipe(n.Pipe)
		case *parse.TemplateNode:
			w.pipe(n.Pipe)
		case *parse.IfNode:
			w.branch(&n.BranchNode)
		case *parse.WithNode:
			w.branch(&n.BranchNode)
		case *parse.RangeNode:
			w.branch(&n.BranchNode)
			w.tick(n.List)
		}
	}
}

func (w *walker) branch(n *parse.BranchNode) {
	w.pipe(n.Pipe)
	w.list(n.List)
	w.list(n.ElseList)
}

func (w *walker) pipe(pipe *parse.PipeNode) {
	if pipe == nil {
		return
	}
	for _, command := range pipe.Cmds {
		for i, argument := range command.Args {
			switch n := argument.(type) {
			case *parse.PipeNode:
				w.pipe(n)
			case *parse.ChainNode:
				w.chain(n)
			case *parse.IdentifierNode:
				w.function(n, command.Args[i+1:])
			}
		}
	}
}

// chain looks at what a field is taken of, as in (config "web/limits").rps.
func (w *walker) chain(n *parse.ChainNode) {
	if pipe, ok := n.Node.(*parse.PipeNode); ok {
		w.pipe(pipe)
	}
}

// function notes the config that a function is called with.
func (w *walker) function(n *parse.IdentifierNode, arguments []parse.Node) {
	switch n.Ident {
	case functionConfig, functionRaw, functionExists:
	default:
		return
	}
	where, _ := w.tree.ErrorContext(n)
	if len(arguments) != 1 || arguments[0].Type() != parse.NodeString {
		w.fail(fmt.Errorf("%s: %s needs one name in quotes, as in %s \"web/limits\": it tells what to follow", where, n.Ident, n.Ident))
		return
	}
	text, _ := arguments[0].(*parse.StringNode)
	r, err := parseReference(text.Text)
	if err != nil {
		w.fail(fmt.Errorf("%s: %w", where, err))
		return
	}
	w.namespaces = append(w.namespaces, r.namespace)
}

func (w *walker) fail(err error) {
	if w.err == nil {
		w.err = err
	}
}
