//! How the demo desktop looks.

use passerelle_desktop::{Framebuffer, Rect};
use xkeysym::Keysym;

use super::canvas::{Canvas, Colour, Font, Place};
use super::layout::{Button, Card, HEADER};
use super::scene::Scene;

const BACKGROUND: Colour = Colour(0x0f_172a);
const BAR: Colour = Colour(0x0b_1120);
const SURFACE: Colour = Colour(0x1b_263b);
const SUNKEN: Colour = Colour(0x11_1b2e);
const EDGE: Colour = Colour(0x31_4158);
const TEXT: Colour = Colour(0xe2_e8f0);
const MUTED: Colour = Colour(0x94_a3b8);
const FAINT: Colour = Colour(0x64_748b);
const ACCENT: Colour = Colour(0x2d_d4bf);
const CONTROL: Colour = Colour(0x2b_3a55);
const CONTROL_HOVERED: Colour = Colour(0x3b_4f72);
const ON_ACCENT: Colour = Colour(0x06_2a2a);

/// The colours in which viewers draw on the pad.
const PENS: [Colour; 5] =
    [Colour(0x2d_d4bf), Colour(0xfb_bf24), Colour(0xf4_72b6), Colour(0x60_a5fa), Colour(0xa3_e635)];
/// From the first to the last bar of the moving picture.
const RAMPS: [[u32; 2]; 4] =
    [[0x22_d3ee, 0xa7_8bfa], [0xfa_cc15, 0xf4_3f5e], [0x4a_de80, 0x38_bdf8], [0xf4_72b6, 0xfb_923c]];

const RADIUS: f32 = 10.0;
const PADDING: f32 = 14.0;
const LEADING: f32 = 8.0;

/// Draws everything into `framebuffer`, which has the scene's size and in which nothing is yet.
pub(super) fn paint_all(scene: &mut Scene, framebuffer: &mut Framebuffer) {
    framebuffer.write(Rect::of(scene.size), std::iter::repeat_n(BACKGROUND.0, scene.size.pixels()));
    paint(scene, framebuffer);
}

/// Draws what has changed in the scene into `framebuffer`, which has the scene's size.
pub(super) fn paint(scene: &mut Scene, framebuffer: &mut Framebuffer) {
    for card in scene.take_stale() {
        let Some(place) = scene.layout.card(card) else { continue };
        let Some(mut canvas) = Canvas::new(place.width as u16, place.height as u16, BACKGROUND) else {
            continue;
        };
        let whole = Place::new(0.0, 0.0, place.width, place.height);
        match card {
            Card::Title => title(scene, &mut canvas, whole),
            Card::Pad => pad(scene, &mut canvas, whole),
            Card::Text => text_box(scene, &mut canvas, whole),
            Card::Motion => motion(scene, &mut canvas, whole),
            Card::Input => input(scene, &mut canvas, whole),
            Card::Clipboard => clipboard(scene, &mut canvas, whole),
        }
        canvas.show(framebuffer, place.x as u16, place.y as u16);
    }
}

fn title(scene: &Scene, canvas: &mut Canvas, place: Place) {
    canvas.fill(place, 0.0, BAR);
    canvas.fill(Place::new(0.0, place.height - 1.0, place.width, 1.0), 0.0, EDGE);
    footbridge(canvas, 20.0, 12.0);
    let baseline = (place.height - Font::TITLE.line()) / 2.0;
    let title = format!("Passerelle demo: {}", scene.name);
    canvas.text((74.0, baseline), &title, Font::TITLE, TEXT);

    let seconds = scene.elapsed.as_secs();
    let clock = format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    let right = place.width - 20.0 - Font::TITLE.width(&clock);
    canvas.text((right, baseline), &clock, Font::TITLE, ACCENT);

    let who = match scene.viewers {
        1 => "1 viewer".to_owned(),
        count => format!("{count} viewers"),
    };
    let left = right - 28.0 - Font::BODY.width(&who);
    // Only where it does not run into the title.
    if left > 74.0 + Font::TITLE.width(&title) + 40.0 {
        let middle = place.height / 2.0;
        canvas.disc((left - 14.0, middle), 4.0, if scene.viewers > 0 { ACCENT } else { MUTED });
        canvas.text((left, (place.height - Font::BODY.line()) / 2.0), &who, Font::BODY, MUTED);
    }
}

/// The sign of the project: a footbridge over water.
fn footbridge(canvas: &mut Canvas, x: f32, y: f32) {
    let deck = y + 15.0;
    canvas.curve((x, deck + 8.0), (x + 20.0, deck - 15.0), (x + 40.0, deck + 8.0), 3.0, ACCENT);
    canvas.line(&[(x, deck), (x + 40.0, deck)], 2.5, TEXT);
    for post in [8.0, 20.0, 32.0] {
        canvas.line(&[(x + post, deck - 8.0), (x + post, deck)], 2.0, TEXT);
    }
    canvas.line(&[(x, deck - 8.0), (x + 40.0, deck - 8.0)], 2.0, TEXT);
    for wave in [4.0, 18.0, 32.0] {
        let (left, level) = (x + wave, deck + 15.0);
        canvas.curve((left - 4.0, level), (left, level - 4.0), (left + 4.0, level), 1.5, MUTED);
    }
}

/// A card's surface with its heading and the buttons in its header.
fn card(scene: &Scene, canvas: &mut Canvas, place: Place, of: Card, heading: &str, hint: &str) {
    canvas.fill(place, RADIUS, SURFACE);
    canvas.outline(place, RADIUS, EDGE);
    let top = (HEADER - Font::STRONG.line()) / 2.0;
    canvas.text((PADDING, top), heading, Font::STRONG, TEXT);
    let mut room = place.width - PADDING;
    for button in Button::ALL.into_iter().filter(|button| button.card() == of) {
        if let Some(at) = scene.layout.button(button) {
            push_button(scene, canvas, at, button);
            room = room.min(at.x - PADDING);
        }
    }
    let left = PADDING + Font::STRONG.width(heading) + 14.0;
    if left + Font::BODY.width(hint) <= room {
        canvas.text((left, top), hint, Font::BODY, MUTED);
    }
}

fn push_button(scene: &Scene, canvas: &mut Canvas, place: Place, button: Button) {
    let (face, edge, label) = match scene.button_state(button) {
        (_, true) => (ACCENT, ACCENT, ON_ACCENT),
        (true, false) => (CONTROL_HOVERED, ACCENT, TEXT),
        (false, false) => (CONTROL, EDGE, TEXT),
    };
    canvas.fill(place, 6.0, face);
    canvas.outline(place, 6.0, edge);
    let text = button.label();
    let left = place.x + (place.width - Font::BODY.width(text)) / 2.0;
    let top = place.y + (place.height - Font::BODY.line()) / 2.0;
    canvas.text((left, top), text, Font::BODY, label);
}

fn pad(scene: &Scene, canvas: &mut Canvas, place: Place) {
    card(scene, canvas, place, Card::Pad, "Pad", "draw with the left button");
    let sheet = scene.layout.sheet();
    let (width, height) = (sheet.width as u16, sheet.height as u16);
    let Some(mut drawing) = Canvas::new(width, height, SUNKEN) else { return };
    for row in 1..=height / 24 {
        for column in 1..=width / 24 {
            let dot = Place::new(f32::from(column) * 24.0, f32::from(row) * 24.0, 1.0, 1.0);
            drawing.fill(dot, 0.0, EDGE);
        }
    }
    for stroke in &scene.strokes {
        let pen = usize::try_from(stroke.by.number()).unwrap_or(0) % PENS.len();
        drawing.line(&stroke.points, 4.0, PENS[pen]);
    }
    canvas.insert(&drawing, sheet.x as i32, sheet.y as i32);
    canvas.outline(sheet, 0.0, EDGE);
}

fn text_box(scene: &Scene, canvas: &mut Canvas, place: Place) {
    card(scene, canvas, place, Card::Text, "Text", "type anything");
    let field = body(place);
    canvas.fill(field, 6.0, SUNKEN);
    canvas.outline(field, 6.0, EDGE);

    let inner = field.inset(10.0);
    let pitch = Font::TYPED.line() + 4.0;
    let columns = fitting(inner.width, Font::TYPED.advance());
    let typed: String = scene.typed.iter().collect();
    let lines = wrap(&typed, columns);
    let shown = fitting(inner.height, pitch);
    let first = lines.len().saturating_sub(shown);
    let mut top = inner.y;
    for (index, line) in lines.iter().enumerate().skip(first) {
        canvas.text((inner.x, top), line, Font::TYPED, TEXT);
        if index + 1 == lines.len() && scene.caret_shown() {
            let left = inner.x + Font::TYPED.width(line) + 1.0;
            canvas.fill(Place::new(left, top, 2.0, Font::TYPED.line()), 0.0, ACCENT);
        }
        top += pitch;
    }
}

fn motion(scene: &Scene, canvas: &mut Canvas, place: Place) {
    card(scene, canvas, place, Card::Motion, "Motion", "");
    let stage = body(place);
    let count = ((stage.width / 18.0) as usize).clamp(6, 24);
    let pitch = stage.width / count as f32;
    let time = scene.elapsed.as_secs_f32();
    let [from, to] = RAMPS[scene.colours % RAMPS.len()];
    for bar in 0..count {
        let share = bar as f32 / (count - 1) as f32;
        let swing = (time * 1.9 + share * 5.0).sin() * 0.5
            + (time * 1.1 - share * 8.0).sin() * 0.3
            + (time * 2.7 + share * 3.0).cos() * 0.2;
        let height = (stage.height * (0.54 + 0.42 * swing)).round().max(8.0);
        let top = stage.y + stage.height - height;
        let left = (stage.x + pitch * bar as f32).round();
        canvas.fill(Place::new(left, top, (pitch - 5.0).round(), height), 4.0, mix(from, to, share));
    }
}

fn input(scene: &Scene, canvas: &mut Canvas, place: Place) {
    card(scene, canvas, place, Card::Input, "Input", "");
    let (key, code) = match scene.key {
        None => ("none yet".to_owned(), String::new()),
        Some(key) => {
            let name = Keysym::new(key.keysym).name().unwrap_or("no name");
            let name = name.strip_prefix("XK_").unwrap_or(name);
            let action = if key.pressed { "down" } else { "up" };
            let code = key.scancode.map(|code| format!(", scan code {code:#04x}")).unwrap_or_default();
            (format!("{name} {action}"), format!("{:#06x}{code}", key.keysym))
        }
    };
    let rows = [
        ("Pointer", format!("{}, {}", scene.position.0, scene.position.1)),
        ("Buttons", String::new()),
        ("Key", key),
        ("Keysym", code),
        ("Desktop", format!("{} x {}", scene.size.width, scene.size.height)),
        ("Viewers", scene.viewers.to_string()),
    ];
    let left = PADDING + Font::BODY.width("Desktop") + 24.0;
    let pitch = (Font::BODY.line() + LEADING).min((place.height - HEADER - 4.0) / rows.len() as f32);
    let mut top = HEADER;
    for (label, value) in rows {
        canvas.text((PADDING, top), label, Font::BODY, MUTED);
        canvas.text((left, top), &value, Font::BODY, TEXT);
        if label == "Buttons" {
            for bit in 0..9_u8 {
                let middle = (left + 6.0 + f32::from(bit) * 20.0, top + Font::BODY.line() / 2.0);
                let pressed = scene.buttons & 1 << bit != 0;
                canvas.disc(middle, 6.0, if pressed { ACCENT } else { CONTROL });
            }
        }
        top += pitch;
    }
}

fn clipboard(scene: &Scene, canvas: &mut Canvas, place: Place) {
    card(scene, canvas, place, Card::Clipboard, "Clipboard", "");
    let body = body(place);
    let gap = 10.0;
    let each = (body.height - gap) / 2.0;
    let parts = [
        ("From your viewer", scene.received.as_deref(), "copy some text there"),
        ("To your viewer", scene.offered.as_deref(), "press the button"),
    ];
    for (index, (label, text, hint)) in parts.into_iter().enumerate() {
        let field = Place::new(body.x, body.y + index as f32 * (each + gap), body.width, each);
        canvas.fill(field, 6.0, SUNKEN);
        canvas.outline(field, 6.0, EDGE);
        let inner = field.inset(8.0);
        let pitch = Font::BODY.line() + 2.0;
        canvas.text((inner.x, inner.y), label, Font::BODY, MUTED);
        let colour = if text.is_some() { TEXT } else { FAINT };
        let room = fitting(inner.height - pitch, pitch);
        let columns = fitting(inner.width, Font::BODY.advance());
        let mut lines = wrap(text.unwrap_or(hint), columns);
        if lines.len() > room {
            lines.truncate(room);
            if let Some(last) = lines.last_mut() {
                *last = last.chars().take(columns.saturating_sub(3)).chain("...".chars()).collect();
            }
        }
        let mut top = inner.y + pitch + 2.0;
        for line in lines {
            canvas.text((inner.x, top), &line, Font::BODY, colour);
            top += pitch;
        }
    }
}

/// What lies below a card's header.
fn body(card: Place) -> Place {
    Place::new(12.0, HEADER, (card.width - 24.0).max(0.0), (card.height - HEADER - 12.0).max(0.0))
}

/// How many things of `size` fit into `room`, at least one.
fn fitting(room: f32, size: f32) -> usize {
    ((room / size) as usize).max(1)
}

/// Breaks `text` at line ends and after `columns` characters; control characters are left out.
fn wrap(text: &str, columns: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut column = 0;
    for character in text.chars() {
        if character == '\n' || column == columns {
            lines.push(String::new());
            column = 0;
        }
        if character.is_control() {
            continue;
        }
        if let Some(line) = lines.last_mut() {
            line.push(character);
            column += 1;
        }
    }
    lines
}

fn mix(from: u32, to: u32, share: f32) -> Colour {
    let channel = |shift: u32| {
        let (from, to) = ((from >> shift & 0xff) as f32, (to >> shift & 0xff) as f32);
        ((from + (to - from) * share).round() as u32) << shift
    };
    Colour(channel(16) | channel(8) | channel(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_wraps_at_line_ends_and_at_the_edge() {
        assert_eq!(wrap("", 4), [""]);
        assert_eq!(wrap("ab\ncdefg\r\nh", 4), ["ab", "cdef", "g", "h"]);
        assert_eq!(wrap("äöüß€", 4), ["äöüß", "€"]);
        assert_eq!(wrap("abcd\n", 4), ["abcd", ""]);
    }

    #[test]
    fn colours_mix_from_one_end_to_the_other() {
        assert!(mix(0x10_2030, 0x30_4050, 0.0) == Colour(0x10_2030));
        assert!(mix(0x10_2030, 0x30_4050, 1.0) == Colour(0x30_4050));
        assert!(mix(0x10_2030, 0x30_4050, 0.5) == Colour(0x20_3040));
    }
}
