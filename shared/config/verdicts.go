package config

import "slices"

// MostUnheard is how many verdicts of one worker on one namespace are kept until they
// are heard.
const MostUnheard = 64

// Verdicts are what one worker said of one namespace and nobody has heard yet, in the
// order of their times, MostUnheard at most. They are values: what was returned once
// does not change.
type Verdicts []Verdict

// With returns the verdicts with one more, at its place. A neighbour that says the
// same is the same one, told again, and the later of the two stays. Where there is no
// room left, dropped is the one that is missed least, as Shed has it.
func (vs Verdicts) With(v Verdict) (next Verdicts, dropped *Verdict) {
	place := len(vs)
	for place > 0 && v.At.Before(vs[place-1].At) {
		place--
	}
	next = slices.Clone(vs)
	switch {
	case place > 0 && vs[place-1].repeats(v):
		next[place-1] = v
		return next, nil
	case place < len(vs) && vs[place].repeats(v):
		return next, nil
	}
	if next = slices.Insert(next, place, v); len(next) > MostUnheard {
		next, dropped = next.Shed()
	}
	return next, dropped
}

// Shed returns the verdicts without the one that is missed least: the oldest that was
// applied, since a newer one says more; the newest of all stays, and a rejection as
// long as there is anything else to drop. One verdict or none is nothing to shed from.
func (vs Verdicts) Shed() (Verdicts, *Verdict) {
	if len(vs) < 2 {
		return vs, nil
	}
	older := vs[:len(vs)-1]
	least := max(0, slices.IndexFunc(older, func(v Verdict) bool { return v.Status == Applied }))
	dropped := vs[least]
	return slices.Delete(slices.Clone(vs), least, least+1), &dropped
}

// Without returns the verdicts without those that were heard.
func (vs Verdicts) Without(heard Verdicts) Verdicts {
	return slices.DeleteFunc(slices.Clone(vs), func(v Verdict) bool {
		return slices.ContainsFunc(heard, func(h Verdict) bool { return h.repeats(v) && h.At.Equal(v.At) })
	})
}

// repeats reports whether two verdicts say the same, be it at two times.
func (v Verdict) repeats(other Verdict) bool {
	return v.Position() == other.Position() && v.Status == other.Status && v.Code == other.Code && v.Message == other.Message
}
