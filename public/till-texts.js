// What the till says to people, in the language of their browser. What always stands on the page stands there in English, and
// here for the others.

const texts = {
  en: {
    forgetSure: (count) =>
      count === 0
        ? 'Forget the token of this till?'
        : `Forget the token? Sales not sent yet: ${count}. They stay on this device, and are sent when a token is entered here.`,
    priceMalformed: 'A price such as 4.90, please.',
    priceIsLikeBarcode: 'This looks like a barcode. If it is the price, end it with a decimal point.',
    discardSure: 'Forget this sale? It is in the books of no appliance.',
    sentByItself: 'It is sent again by itself.',
    unknown: (barcode) => `Unknown: ${barcode}`,
    notDurable: 'This browser keeps nothing: close this page only when no sale waits to be sent.',
    pending: (count) => `${count} to send`,
    kept: {
      till: 'safe on this till',
      appliance: 'confirmed by an appliance',
      refused: 'refused, see below',
      nowhere: 'could not be kept: not sold',
    },
    transport: { websocket: ', live', polling: ', by polling' },
    state: {
      idle: () => 'Not connected.',
      connecting: () => 'Looking for an appliance…',
      online: ({ place, isAway, how }) =>
        `Connected to ${place}${isAway ? ', in place of its own appliance' : ''}${how}.`,
      offline: () => 'Offline: sales are kept here and sent later.',
      closed: () => 'Not connected.',
    },
  },
  fr: {
    till: 'Caisse',
    token: 'Jeton de cette caisse',
    tokenWhy:
      'Chaque caisse a son jeton, créé par un administrateur (POST /api/v1/terminals). Il est conservé dans ce navigateur.',
    keepToken: 'Conserver et commencer',
    forgetToken: 'Oublier le jeton',
    forgetSure: (count) =>
      count === 0
        ? 'Oublier le jeton de cette caisse ?'
        : `Oublier le jeton ? Ventes non envoyées : ${count}. Elles restent sur cet appareil et partiront quand un jeton sera saisi ici.`,
    barcode: 'Code-barres',
    add: 'Ajouter',
    basket: 'Panier',
    basketEmpty: 'Scannez un article, ou tapez son code-barres puis Entrée.',
    quantity: 'Quantité',
    price: 'Prix',
    priceMalformed: 'Un prix comme 4,90, s’il vous plaît.',
    priceIsLikeBarcode: 'On dirait un code-barres. Si c’est bien le prix, terminez-le par une virgule.',
    remove: 'Retirer',
    total: 'Total',
    sell: 'Vendre',
    stock: 'Stock',
    stockEmpty: 'Le stock de ce que vous scannez s’affiche ici, et suit les ventes.',
    refused: 'Ventes refusées',
    retry: 'Renvoyer',
    discard: 'Oublier',
    discardSure: 'Oublier cette vente ? Elle n’est dans les livres d’aucun appareil.',
    sentByItself: 'Elle sera renvoyée d’elle-même.',
    source: 'Comment cette page est faite',
    unknown: (barcode) => `Inconnu : ${barcode}`,
    notDurable: 'Ce navigateur ne conserve rien : ne fermez pas la page tant qu’une vente attend d’être envoyée.',
    pending: (count) => `${count} à envoyer`,
    kept: {
      till: 'en sûreté sur cette caisse',
      appliance: 'confirmée par un appareil du magasin',
      refused: 'refusée, voir ci-dessous',
      nowhere: 'impossible à conserver : pas vendue',
    },
    transport: { websocket: ', en direct', polling: ', par interrogation' },
    state: {
      idle: () => 'Pas connectée.',
      connecting: () => 'Recherche d’un appareil du magasin…',
      online: ({ place, isAway, how }) =>
        `Connectée à ${place}${isAway ? ', à la place de son propre appareil' : ''}${how}.`,
      offline: () => 'Hors ligne : les ventes sont gardées ici et partiront plus tard.',
      closed: () => 'Pas connectée.',
    },
  },
};
export const language = navigator.language.startsWith('fr') ? 'fr' : 'en';
export const text = texts[language];
