package schema

import "strings"

// ofJavaScript writes a regular expression of JavaScript, which is what schemas
// have, as Go has it. What Go lacks, such as looking ahead, stays as it is and is
// refused when it is compiled.
func ofJavaScript(text string) string {
	var out strings.Builder
	class := false // between brackets
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && i+1 < len(text):
			i += escape(&out, text[i:], class)
		case !class && strings.HasPrefix(text[i:], "[^]"):
			out.WriteString(`[\s\S]`)
			i += 2
		case !class && strings.HasPrefix(text[i:], "[]"):
			out.WriteString(`[^\s\S]`)
			i++
		case c == '[' && class:
			out.WriteString(`\[`)
		case c == '-' && class && loose(text, i):
			out.WriteString(`\-`)
		default:
			class = (class || c == '[') && c != ']'
			out.WriteByte(c)
		}
	}
	return out.String()
}

// escape writes one escape and returns how many bytes it has beyond its first.
func escape(out *strings.Builder, text string, class bool) int {
	if hex := unicodeEscape(text); hex != "" {
		out.WriteString(`\x{` + strings.Trim(hex[2:], "{}") + `}`)
		return len(hex) - 1
	}
	switch text[1] {
	case 'd', 'D', 'w', 'W':
		out.WriteString(text[:2])
	case 's', 'S':
		out.WriteString(spaces(text[1], class))
	case '_', '-', '/', '"', '\'', '@', '#', '%', '&', '!', ',', ':', ';', '<', '=', '>', '`', '~', ' ':
		out.WriteString(literal(text[1], class))
	case 'c':
		if len(text) > 2 {
			out.WriteString(controls(text[2]))
			return 2
		}
		out.WriteString(text[:2])
	default:
		out.WriteString(text[:2])
	}
	return 1
}

// literal is a character that JavaScript lets one escape for nothing.
func literal(c byte, class bool) string {
	if c == '-' && class {
		return `\-`
	}
	return string(c)
}

// spaces are those of JavaScript, which knows more than ASCII's.
func spaces(kind byte, class bool) string {
	const all = `\t\n\v\f\r \x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}\x{feff}`
	switch {
	case kind == 's' && class:
		return all
	case kind == 's':
		return "[" + all + "]"
	case class:
		return `\S` // Go cannot take a set from a set; ASCII's are those that are met
	}
	return "[^" + all + "]"
}

// controls is \cJ: a letter with the upper bits off.
func controls(letter byte) string {
	const digits = "0123456789abcdef"
	c := letter % 32
	return `\x` + string(digits[c>>4]) + string(digits[c&15])
}

// unicodeEscape is \u with four digits, or with any number in braces, or "".
func unicodeEscape(text string) string {
	if len(text) < 6 || text[1] != 'u' {
		return ""
	}
	if text[2] != '{' {
		if strings.Trim(text[2:6], hexDigits) != "" {
			return ""
		}
		return text[:6]
	}
	end := strings.IndexByte(text, '}')
	if end < 4 || strings.Trim(text[3:end], hexDigits) != "" {
		return ""
	}
	return text[:end+1]
}

const hexDigits = "0123456789abcdefABCDEF"

// loose reports whether the dash at i stands behind or before a class such as \w,
// so that it cannot mean a range.
func loose(text string, i int) bool {
	const classes = "dDwWsS"
	behind := i >= 2 && text[i-2] == '\\' && strings.IndexByte(classes, text[i-1]) >= 0
	before := i+2 < len(text) && text[i+1] == '\\' && strings.IndexByte(classes, text[i+2]) >= 0
	return behind || before
}
