import { useEffect, useMemo, useRef, useState } from 'preact/hooks';

import { api } from '../api/client';
import type { Manifest, RecordedEvent, Span } from '../api/types';
import { clock } from '../format';
import { language, t } from '../i18n';
import { mood, title } from '../player/events';

interface Props {
  id: string;
  manifest: Manifest;
  events: readonly RecordedEvent[];
  time: number;
  onSeek: (t: number) => void;
}

/** Where in the recording it plays, and what there is at which time. */
export function Timeline({ id, manifest, events, time, onSeek }: Props) {
  const bar = useRef<HTMLDivElement>(null);
  const [hover, setHover] = useState<number | null>(null);
  const dragging = useRef(false);
  const pictures = useRef(new Map<number, string>());
  useEffect(() => () => pictures.current.forEach((url) => URL.revokeObjectURL(url)), []);
  const duration = Math.max(1, manifest.duration_ms);
  const percent = (at: number): string => `${Math.min(100, Math.max(0, (at / duration) * 100))}%`;

  const timeAt = (event: PointerEvent): number => {
    const box = bar.current?.getBoundingClientRect();
    if (!box || box.width === 0) return 0;
    return Math.min(1, Math.max(0, (event.clientX - box.left) / box.width)) * duration;
  };
  const spans = (kind: string, list: readonly Span[], text: string) =>
    list.map((span) => (
      <span
        key={`${kind} ${span.from_ms}`}
        class={`span span-${kind}`}
        title={text}
        style={{ left: percent(span.from_ms), width: percent(span.until_ms - span.from_ms) }}
      />
    ));

  // What does not change with the time is not made anew many times a second.
  const ground = useMemo(
    () => (
      <>
        <svg class="activity" viewBox="0 0 1000 100" preserveAspectRatio="none" aria-hidden="true">
          <path d={activityPath(manifest)} />
        </svg>
        {spans('idle', manifest.idle, t('player.idle'))}
        {spans('lossy', manifest.lossy, t('player.lossy'))}
        {spans('blackout', manifest.blackouts, t('player.blackout.short'))}
      </>
    ),
    [manifest, language()],
  );
  const marks = useMemo(
    () => events.map((event, index) => (
      <span key={index} class={`mark-event mark-${mood(event)}`} style={{ left: percent(event.t_ms) }} />
    )),
    [events, duration],
  );

  return (
    <div class="timeline">
      {hover !== null && <Preview {...{ id, manifest, events, pictures: pictures.current }} at={hover} left={percent(hover)} />}
      <div
        class="timeline-bar"
        ref={bar}
        role="slider"
        tabIndex={0}
        aria-label={t('player.timeline')}
        aria-valuemin={0}
        aria-valuemax={Math.round(duration / 1000)}
        aria-valuenow={Math.round(time / 1000)}
        aria-valuetext={t('player.timeline.value', { time: clock(time), duration: clock(duration) })}
        onPointerDown={(event) => {
          if (event.button !== 0) return;
          dragging.current = true;
          event.currentTarget.setPointerCapture(event.pointerId);
          onSeek(timeAt(event));
        }}
        onPointerMove={(event) => {
          const at = timeAt(event);
          setHover(at);
          if (dragging.current) onSeek(at);
        }}
        onPointerUp={() => {
          dragging.current = false;
        }}
        onPointerCancel={() => {
          dragging.current = false;
        }}
        onPointerLeave={() => setHover(null)}
      >
        <div class="ground">{ground}</div>
        <span class="track" />
        <span class="track played" style={{ width: percent(time) }} />
        {marks}
        <span class="head" style={{ left: percent(time) }} />
        {hover !== null && <span class="hover-line" style={{ left: percent(hover) }} />}
      </div>
      <Legend manifest={manifest} />
    </div>
  );
}

/** What the marks mean, as far as there are any. */
function Legend({ manifest }: { manifest: Manifest }) {
  const all = [
    ['idle', manifest.idle, t('player.idle')],
    ['lossy', manifest.lossy, t('player.lossy')],
    ['blackout', manifest.blackouts, t('player.blackout.short')],
  ] as const;
  const present = all.filter(([, spans]) => spans.length > 0);
  if (present.length === 0) return null;
  return (
    <ul class="legend" aria-label={t('player.legend')}>
      {present.map(([kind, , text]) => (
        <li key={kind}><span class={`swatch span-${kind}`} aria-hidden="true" />{text}</li>
      ))}
    </ul>
  );
}

/** An area as high as the screen was busy. Exported for the tests. */
export function activityPath({ activity, duration_ms }: Pick<Manifest, 'activity' | 'duration_ms'>): string {
  const { values, bucket_ms } = activity;
  if (values.length === 0 || duration_ms <= 0) return '';
  // No more points than can be told apart.
  const group = Math.max(1, Math.ceil(values.length / 500));
  const groups: number[] = [];
  for (let index = 0; index < values.length; index += group) {
    groups.push(Math.max(...values.slice(index, index + group)));
  }
  const most = Math.max(...groups);
  if (!(most > 0)) return '';
  const width = ((bucket_ms * group) / duration_ms) * 1000;
  // A picture that is all new dwarfs typing, so heights grow with the root.
  const points = groups.map((value, index) => {
    const y = 100 - Math.sqrt(Math.max(0, value) / most) * 100;
    const [left, right] = [index * width, Math.min(1000, (index + 1) * width)];
    return `L${left.toFixed(1)} ${y.toFixed(1)}L${right.toFixed(1)} ${y.toFixed(1)}`;
  });
  return `M0 100${points.join('')}L${Math.min(1000, groups.length * width).toFixed(1)} 100Z`;
}

interface PreviewProps {
  id: string;
  manifest: Manifest;
  at: number;
  left: string;
  events: readonly RecordedEvent[];
  /** The pictures that have come so far, by number. */
  pictures: Map<number, string>;
}

/** What one would see there. */
function Preview({ id, manifest, at, left, events, pictures }: PreviewProps) {
  const [, loaded] = useState(0);
  let thumbnail = manifest.thumbnails[0];
  for (const candidate of manifest.thumbnails) if (candidate.t_ms <= at) thumbnail = candidate;
  const number = thumbnail?.number;

  useEffect(() => {
    if (number === undefined || pictures.has(number)) return;
    const stop = new AbortController();
    // Whoever moves quickly over the line does not ask for everything below.
    const timer = setTimeout(() => {
      api.thumbnail(id, number, stop.signal).then(
        (blob) => {
          pictures.set(number, URL.createObjectURL(blob));
          loaded((count) => count + 1);
        },
        () => {},
      );
    }, 60);
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
  }, [id, number]);

  const picture = number === undefined ? undefined : pictures.get(number);
  const near = events.find((event) => Math.abs(event.t_ms - at) < manifest.duration_ms / 150);
  return (
    <div class="preview" style={{ left }} aria-hidden="true">
      {manifest.thumbnails.length > 0 && <div class="preview-picture">{picture && <img src={picture} alt="" />}</div>}
      <span class="preview-time">{clock(at)}</span>
      {near && <span class="preview-event">{title(near)}</span>}
    </div>
  );
}
