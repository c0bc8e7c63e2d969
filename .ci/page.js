// Opens every page of a folder in a browser, at three widths, light and dark, and tries it. `.ci/page` starts it.
const { mkdirSync, readFileSync, readdirSync } = require('node:fs');
const path = require('node:path');
const { pathToFileURL } = require('node:url');
const puppeteer = require('puppeteer-core');

const WIDTHS = [360, 1024, 1920];
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
const [browserPath, folder, pictures] = process.argv.slice(2);

/** What is wrong with a page as it stands. */
async function faults(page) {
    const found = [];
    const [wide, inner] = await page.evaluate(() => [document.documentElement.scrollWidth, window.innerWidth]);
    if (wide > inner) found.push(`it is ${wide} pixels wide`);
    await page.evaluate(axe);
    const { violations, passes } = await page.evaluate(() => axe.run(document));
    if (passes.length < 10) found.push(`axe tried ${passes.length} rules`);
    for (const { id, help, nodes } of violations) found.push(`${id}: ${help}: ${nodes.slice(0, 3).map((node) => node.html).join(' ')}`);
    return found;
}

/** Whether the tab key reaches everything that can be opened or followed. */
async function unreached(page) {
    const all = await page.evaluate(() => document.querySelectorAll('a, summary').length);
    const seen = new Set();
    for (let at = 0; at < Math.min(all, 40); at += 1) {
        await page.keyboard.press('Tab');
        seen.add(await page.evaluate(() => {
            const list = [...document.querySelectorAll('a, summary')];
            return list.indexOf(document.activeElement);
        }));
    }
    seen.delete(-1);
    return Math.min(all, 40) - seen.size;
}

(async () => {
    const browser = await puppeteer.launch({ executablePath: browserPath, args: ['--no-sandbox', '--disable-gpu'] });
    const pages = readdirSync(folder).filter((name) => name.endsWith('.html'));
    const wrong = [];
    if (!pages.length) wrong.push(`there is no page in ${folder}`);
    if (pictures) mkdirSync(pictures, { recursive: true });
    for (const name of pages) {
        for (const scheme of ['light', 'dark']) {
            for (const width of WIDTHS) {
                const page = await browser.newPage();
                const say = (text) => wrong.push(`${name}, ${scheme}, ${width}: ${text}`);
                page.on('console', (message) => { if (['error', 'warn'].includes(message.type())) say(message.text()); });
                page.on('pageerror', (error) => say(error.message));
                page.on('request', (request) => { if (!request.url().startsWith('file:')) say(`it asks for ${request.url()}`); });
                await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
                await page.setViewport({ width, height: 900, deviceScaleFactor: 1 });
                await page.goto(pathToFileURL(path.resolve(folder, name)).href);
                (await faults(page)).forEach(say);
                const left = await unreached(page);
                if (left) say(`the keyboard does not reach ${left} of its links and summaries`);
                const stem = `${path.basename(name, '.html')}-${scheme}-${width}`;
                if (pictures) {
                    await page.evaluate(() => { document.activeElement.blur(); window.scrollTo(0, 0); });
                    await page.screenshot({ path: path.join(pictures, `${stem}.png`), fullPage: name !== 'hundred.html' });
                }
                if (pictures && scheme === 'light' && width === 1024) await page.pdf({ path: path.join(pictures, `${stem}.pdf`), format: 'A4' });
                await page.close();
            }
        }
    }
    await browser.close();
    for (const fault of wrong) console.log(`FAULT ${fault}`);
    console.log(`${pages.length} pages at ${WIDTHS.length} widths, light and dark; ${wrong.length} faults`);
    process.exit(wrong.length ? 1 : 0);
})();
